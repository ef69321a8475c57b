"""Gone: it is `nmt corpus split` now."""

from moved import refuse

refuse(__file__, "nmt corpus split")
