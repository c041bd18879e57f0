/* Included before and after the code of a tier. In between, types and functions carry the tier's name, so
 * that one extension holds several tiers: TIER(name) makes such a name. TARGET is the attribute of every
 * function of the tier; GUESSES, whether its kernel guesses where the next block starts. */
#ifndef Bytes
#define Bytes TIER(Bytes)
#define Lanes TIER(Lanes)
#define Narrowing TIER(Narrowing)
#define load TIER(load)
#define equal TIER(equal)
#define between TIER(between)
#define within TIER(within)
#define both TIER(both)
#define either TIER(either)
#define bits TIER(bits)
#define has TIER(has)
#define put TIER(put)
#define choose TIER(choose)
#define set_bits TIER(set_bits)
#define lookup16 TIER(lookup16)
#define lookup_row TIER(lookup_row)
#define narrow_with TIER(narrow_with)
#define narrow TIER(narrow)
#define widen TIER(widen)
#define write_ends TIER(write_ends)
#define ascii_classes TIER(ascii_classes)
#define whole_characters TIER(whole_characters)
#define other_classes TIER(other_classes)
#define chinese TIER(chinese)
#define last_of TIER(last_of)
#define scan_kind TIER(scan_kind)
#define scan_blocks TIER(scan_blocks)
#define scan_spaces TIER(scan_spaces)
#else
#undef Bytes
#undef Lanes
#undef Narrowing
#undef load
#undef equal
#undef between
#undef within
#undef both
#undef either
#undef bits
#undef has
#undef put
#undef choose
#undef set_bits
#undef lookup16
#undef lookup_row
#undef narrow_with
#undef narrow
#undef widen
#undef write_ends
#undef ascii_classes
#undef whole_characters
#undef other_classes
#undef chinese
#undef last_of
#undef scan_kind
#undef scan_blocks
#undef scan_spaces
#undef TIER
#undef TARGET
#undef GUESSES
#endif
