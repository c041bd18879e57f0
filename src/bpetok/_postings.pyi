"""Room for postings: lists of places, of which millions come and go while merges are learned."""
