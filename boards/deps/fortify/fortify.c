/* The checked calls that the headers here make, part of libc.a: each compares first and then is the
 * plain call. Their names and arguments are those of the Linux Standard Base, which the compiler
 * writes on its own; `room` is what the compiler knows of the array's size. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void __chk_fail(void);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memmove_chk(void *to, const void *from, size_t size, size_t room);
void *__memset_chk(void *to, int byte, size_t size, size_t room);
char *__strcpy_chk(char *to, const char *from, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);
char *__strcat_chk(char *to, const char *from, size_t room);
char *__strncat_chk(char *to, const char *from, size_t size, size_t room);
char *__stpcpy_chk(char *to, const char *from, size_t room);
int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...);
int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format,
                    va_list arguments);
int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...);
int __vsprintf_chk(char *to, int flag, size_t room, const char *format, va_list arguments);

/* The words are glibc's, for whoever searches a log for them. No stdio: it may be what broke. */
_Noreturn void __chk_fail(void)
{
    static const char text[] = "*** buffer overflow detected ***: terminated\n";
    (void)write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

static void check(size_t size, size_t room)
{
    if (size > room) {
        __chk_fail();
    }
}

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    check(size, room);
    return memcpy(to, from, size);
}

void *__memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    check(size, room);
    return memmove(to, from, size);
}

void *__memset_chk(void *to, int byte, size_t size, size_t room)
{
    check(size, room);
    return memset(to, byte, size);
}

char *__strcpy_chk(char *to, const char *from, size_t room)
{
    size_t size = strlen(from) + 1;
    check(size, room);
    return memcpy(to, from, size);
}

char *__stpcpy_chk(char *to, const char *from, size_t room)
{
    size_t length = strlen(from);
    check(length + 1, room);
    memcpy(to, from, length + 1);
    return to + length;
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
    check(size, room);
    return strncpy(to, from, size);
}

/* A string that fills its array to the end without a zero leaves no room at all. */
static char *append(char *to, const char *from, size_t length, size_t room)
{
    size_t before = strnlen(to, room);
    check(length + 1, room - before);
    memcpy(to + before, from, length);
    to[before + length] = '\0';
    return to;
}

char *__strcat_chk(char *to, const char *from, size_t room)
{
    return append(to, from, strlen(from), room);
}

char *__strncat_chk(char *to, const char *from, size_t size, size_t room)
{
    return append(to, from, strnlen(from, size), room);
}

int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format,
                    va_list arguments)
{
    (void)flag;
    check(size, room);
    return vsnprintf(to, size, format, arguments);
}

int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = __vsnprintf_chk(to, size, flag, room, format, arguments);
    va_end(arguments);
    return length;
}

/* vsnprintf takes sizes up to the largest int, and no array of ours comes near it. */
int __vsprintf_chk(char *to, int flag, size_t room, const char *format, va_list arguments)
{
    (void)flag;
    size_t size = room <= (size_t)INT_MAX ? room : (size_t)INT_MAX;
    int length = vsnprintf(to, size, format, arguments);
    if (length >= 0) {
        check((size_t)length + 1, size);
    }
    return length;
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = __vsprintf_chk(to, flag, room, format, arguments);
    va_end(arguments);
    return length;
}
