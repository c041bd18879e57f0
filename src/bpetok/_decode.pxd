# Ids to bytes and text.

from bpetok._vocab cimport VocabTables

cdef bytes join_tokens(VocabTables tables, object tokens)
# The same as text; what is not UTF-8 becomes U+FFFD.
cdef str join_text(VocabTables tables, object tokens)
