/* How CPython lays out an int, for making and reading those of one digit without a call each.
 *
 * BPETOK_INTS says whether this is an interpreter on which ints may be made in blocks of our own. Those
 * are never freed: their reference count starts where no program can bring it to nothing, so that giving
 * one away need not count. From 3.12 on that is CPython's own notion of an immortal object; in 3.11 it is
 * 2^60, which a thousand million decrements a second wear out in thirty-six years.
 */
#ifndef BPETOK_INT_LAYOUT_H
#define BPETOK_INT_LAYOUT_H

#include "Python.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON) || defined(Py_LIMITED_API)
#define INT_LAYOUT_KNOWN 0
#else
#define INT_LAYOUT_KNOWN (PYLONG_BITS_IN_DIGIT == 30 && SIZEOF_VOID_P == 8)
#endif

#if INT_LAYOUT_KNOWN && !defined(Py_GIL_DISABLED) && !defined(Py_REF_DEBUG) && !defined(Py_TRACE_REFS) \
    && PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030F0000
#define BPETOK_INTS 1
#else
#define BPETOK_INTS 0
#endif

#if INT_LAYOUT_KNOWN && PY_VERSION_HEX >= 0x030C0000
#define INT_DIGITS offsetof(PyLongObject, long_value.ob_digit)
#elif INT_LAYOUT_KNOWN
#define INT_DIGITS offsetof(PyLongObject, ob_digit)
#endif

/* The value of an object that is exactly an int of at most one digit and not negative, else -1. */
static inline int64_t small_int_value(PyObject *object)
{
    if (!PyLong_CheckExact(object))
        return -1;
#if INT_LAYOUT_KNOWN && PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)object))
        return -1;
    return PyUnstable_Long_CompactValue((PyLongObject *)object);
#elif INT_LAYOUT_KNOWN
    if ((size_t)Py_SIZE(object) > 1)
        return -1;
    return Py_SIZE(object) ? (int64_t)((PyLongObject *)object)->ob_digit[0] : 0;
#else
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow ? -1 : (int64_t)value;
#endif
}

/* Where an int will be; the size is that of an int of one digit, rounded up to its alignment. */
typedef struct {
    uint64_t words[4];
} IntObject;

#if BPETOK_INTS
/* Make the ints first, first + 1, ... in `count` objects; false if it cannot be done here. */
static inline int make_ints(IntObject *ints, uint32_t first, uint32_t count)
{
    PyObject *zero = PyLong_FromLong(0), *one_digit = PyLong_FromLong(1L << 20);
    int fits = zero && one_digit && sizeof(PyLongObject) <= sizeof(IntObject)
        && INT_DIGITS + sizeof(digit) <= sizeof(IntObject);
    for (uint32_t i = 0; fits && i < count; i++) {
        PyObject *made = (PyObject *)&ints[i];
        digit value = first + i;
        memset(made, 0, sizeof(IntObject));
        memcpy(made, value ? one_digit : zero, INT_DIGITS);
        memcpy((char *)made + INT_DIGITS, &value, sizeof(digit));
#if PY_VERSION_HEX >= 0x030C0000
        memcpy(made, Py_None, sizeof(uint64_t)); /* the count, and flags beside it, stand first */
#else
        made->ob_refcnt = (Py_ssize_t)1 << 60;
#endif
    }
    Py_XDECREF(zero);
    Py_XDECREF(one_digit);
    return fits;
}
#else
static inline int make_ints(IntObject *ints, uint32_t first, uint32_t count)
{
    (void)ints, (void)first, (void)count;
    return 0;
}
#endif

#endif
