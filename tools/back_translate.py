"""Gone: it is `nmt augment back-translate` now."""

from moved import refuse

refuse(__file__, "nmt augment back-translate")
