# The tier of instructions in use.

cdef enum:
    SCALAR = 0
    AVX2 = 1        # with BMI2 and CRC32
    AVX512 = 2      # F, BW, VL, DQ, VBMI and VBMI2: Ice Lake, Zen 4 and later
    NEON = 3

cdef int tier() noexcept nogil
