"""Gone: it is `nmt runs plot` now."""

from moved import refuse

refuse(__file__, "nmt runs plot")
