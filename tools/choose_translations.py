"""Gone: it is `nmt-translate --rerank mbr` now."""

from moved import refuse

refuse(__file__, "nmt-translate --rerank mbr")
