"""Gone: it is `nmt runs table` now."""

from moved import refuse

refuse(__file__, "nmt runs table")
