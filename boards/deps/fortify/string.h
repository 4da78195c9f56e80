/* <string.h> with bounds; see fortify.h. */
#include_next <string.h>

#include "fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_STRING_H
#define PICKET_FORTIFY_STRING_H

__fortified void *memcpy(void *__restrict to, const void *__restrict from, size_t size)
{
    return __builtin___memcpy_chk(to, from, size, __object_bytes(to));
}

__fortified void *memmove(void *to, const void *from, size_t size)
{
    return __builtin___memmove_chk(to, from, size, __object_bytes(to));
}

__fortified void *memset(void *to, int byte, size_t size)
{
    return __builtin___memset_chk(to, byte, size, __object_bytes(to));
}

__fortified char *strcpy(char *__restrict to, const char *__restrict from)
{
    return __builtin___strcpy_chk(to, from, __member_bytes(to));
}

__fortified char *strncpy(char *__restrict to, const char *__restrict from, size_t size)
{
    return __builtin___strncpy_chk(to, from, size, __member_bytes(to));
}

__fortified char *strcat(char *__restrict to, const char *__restrict from)
{
    return __builtin___strcat_chk(to, from, __member_bytes(to));
}

__fortified char *strncat(char *__restrict to, const char *__restrict from, size_t size)
{
    return __builtin___strncat_chk(to, from, size, __member_bytes(to));
}

#endif
