/* <stdio.h> with bounds; see fortify.h. What only reads its arguments needs none. */
#include_next <stdio.h>

#include "fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_STDIO_H
#define PICKET_FORTIFY_STDIO_H

char *__fortify_fgets(char *__restrict, int, FILE *__restrict) __asm__("fgets");
size_t __fortify_fread(void *__restrict, size_t, size_t, FILE *__restrict) __asm__("fread");

__fortified int snprintf(char *__restrict to, size_t size, const char *__restrict format, ...)
{
    return __builtin___snprintf_chk(to, size, 1, __member_bytes(to), format,
                                    __builtin_va_arg_pack());
}

__fortified int vsnprintf(char *__restrict to, size_t size, const char *__restrict format,
                          __builtin_va_list arguments)
{
    return __builtin___vsnprintf_chk(to, size, 1, __member_bytes(to), format, arguments);
}

__fortified int sprintf(char *__restrict to, const char *__restrict format, ...)
{
    return __builtin___sprintf_chk(to, 1, __member_bytes(to), format, __builtin_va_arg_pack());
}

__fortified int vsprintf(char *__restrict to, const char *__restrict format,
                         __builtin_va_list arguments)
{
    return __builtin___vsprintf_chk(to, 1, __member_bytes(to), format, arguments);
}

__fortified char *fgets(char *__restrict to, int size, FILE *__restrict file)
{
    if (size > 0 && (size_t)size > __member_bytes(to)) {
        __chk_fail();
    }
    return __fortify_fgets(to, size, file);
}

__fortified size_t fread(void *__restrict to, size_t size, size_t count, FILE *__restrict file)
{
    if (size != 0 && count > __object_bytes(to) / size) {
        __chk_fail();
    }
    return __fortify_fread(to, size, count, file);
}

#endif
