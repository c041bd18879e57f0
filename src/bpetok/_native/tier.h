/* One tier: see `kernels.h`. Included several times. */
#include "lanes.h"
#include "merge_short.h"
#include "words.h"
#undef BPETOK_TIER
#undef BPETOK_KIND
#undef BPETOK_TARGET
#undef NAME_
#undef NAME__
#undef NAME
#undef INLINE
