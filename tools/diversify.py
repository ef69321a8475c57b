"""Gone: it is `nmt augment diversify` now."""

from moved import refuse

refuse(__file__, "nmt augment diversify")
