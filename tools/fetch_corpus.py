"""Gone: it is `nmt corpus fetch` now."""

from moved import refuse

refuse(__file__, "nmt corpus fetch")
