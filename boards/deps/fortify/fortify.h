/* What the headers beside this one have in common: calls of the C library that are told how large
 * the array is which they fill, wherever the compiler knows it, as _FORTIFY_SOURCE=2 asks for.
 *
 * musl leaves this to others, and no library that does it can be had from all places that `fetch`
 * asks. These headers lie in front of musl's, which they include; the calls they make have the
 * names of the Linux Standard Base (__memcpy_chk), which the compiler knows too: it makes the plain
 * call of one that provably fits or whose array it cannot see, and warns of one that never fits. A
 * call that would write past the end ends the process (__chk_fail, fortify.c) before it writes a
 * byte; sprintf alone, whose length only writing tells, writes what fits first.
 *
 * Not covered, since nothing here calls them with an array of its own: wide characters, realpath,
 * getcwd and their like. */
#ifndef PICKET_FORTIFY_H
#define PICKET_FORTIFY_H

#if defined _FORTIFY_SOURCE && _FORTIFY_SOURCE > 0 && defined __OPTIMIZE__
#define __FORTIFY   1
#define __fortified extern __inline __attribute__((gnu_inline, always_inline, artificial))

/* Bytes from `p` to the end of the whole object it points into, for calls that fill memory, and to
 * the end of the member alone, for those that write strings; the largest size_t when unknown. */
#define __object_bytes(p) __builtin_object_size(p, 0)
#define __member_bytes(p) __builtin_object_size(p, 1)

_Noreturn void __chk_fail(void);
#endif

#endif
