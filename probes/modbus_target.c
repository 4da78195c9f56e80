#include "modbus_target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "value.h"

enum { TCP_PORT = 502 };

/* The rates libmodbus knows; it takes any other for 9600 without a word. */
static const int bauds[] = {110,     300,     600,     1200,    2400,    4800,    9600,   19200,
                            38400,   57600,   115200,  230400,  460800,  500000,  576000, 921600,
                            1000000, 1152000, 1500000, 2500000, 3000000, 3500000, 4000000};

struct parser {
    struct modbus_target *target;
    char *why;
    size_t why_size;
};

struct piece {
    const char *text;
    size_t length;
};

PRINTF_LIKE(2, 3)
static enum error refuse(const struct parser *parser, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(parser->why, parser->why_size, format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

static bool is(struct piece piece, const char *text)
{
    return strlen(text) == piece.length && memcmp(text, piece.text, piece.length) == 0;
}

static enum error parse_baud(struct parser *parser, struct piece value)
{
    int64_t number = 0;

    if (value_integer(value.text, value.length, &number) == ERROR_NONE) {
        for (unsigned i = 0; i < ARRAY_LEN(bauds); i++) {
            if (bauds[i] == number) {
                parser->target->baud = bauds[i];
                return ERROR_NONE;
            }
        }
    }
    return refuse(parser, "baud=%.*s is no rate of a serial line (9600, 19200, 115200 …)",
                  (int)value.length, value.text);
}

static enum error parse_parity(struct parser *parser, struct piece value)
{
    static const char *const names[] = {"none", "even", "odd"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (is(value, names[i])) {
            parser->target->parity = "NEO"[i];
            return ERROR_NONE;
        }
    }
    return refuse(parser, "parity=%.*s must be none, even or odd", (int)value.length, value.text);
}

static enum error parse_data(struct parser *parser, struct piece value)
{
    return is(value, "8") ? ERROR_NONE
                          : refuse(parser, "data=%.*s, but RTU needs 8 data bits",
                                   (int)value.length, value.text);
}

static enum error parse_stop(struct parser *parser, struct piece value)
{
    if (!is(value, "1") && !is(value, "2")) {
        return refuse(parser, "stop=%.*s must be 1 or 2", (int)value.length, value.text);
    }
    parser->target->stop_bits = value.text[0] - '0';
    return ERROR_NONE;
}

static enum error parse_setting(struct parser *parser, struct piece piece, unsigned *given)
{
    static const char *const names[] = {"baud", "parity", "data", "stop", NULL};
    static enum error (*const parse[])(struct parser *, struct piece) = {parse_baud, parse_parity,
                                                                         parse_data, parse_stop};
    const char *equals = memchr(piece.text, '=', piece.length);
    struct piece name = {piece.text, equals ? (size_t)(equals - piece.text) : piece.length};

    for (unsigned i = 0; i < ARRAY_LEN(parse); i++) {
        if (!is(name, names[i])) {
            continue;
        }
        if (equals == NULL) {
            return refuse(parser, "'%s' needs a value, %s=…", names[i], names[i]);
        }
        if ((*given & 1U << i) != 0) {
            return refuse(parser, "'%s' stands twice", names[i]);
        }
        *given |= 1U << i;
        return parse[i](parser, (struct piece){equals + 1, piece.length - name.length - 1});
    }
    const char *near = value_near_miss(name.text, name.length, names);
    return refuse(parser, "unknown setting '%.*s' of a serial line%s%s%s", (int)name.length,
                  name.text, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static enum error parse_line(struct parser *parser, const char *text)
{
    struct modbus_target *target = parser->target;
    size_t length = strcspn(text, "?");
    const char *settings = text[length] == '?' ? text + length + 1 : "";
    unsigned given = 0;

    if (text[0] != '/' || length < 2) {
        return refuse(parser, "a serial line needs the path of its device, rtu:///dev/tty…");
    }
    if (length >= sizeof(target->device)) {
        return refuse(parser, "the path of the device is longer than %zu bytes",
                      sizeof(target->device) - 1);
    }
    memcpy(target->device, text, length);
    target->device[length] = '\0';
    target->baud = 19200;
    target->parity = 'E';
    target->stop_bits = 1;
    while (settings[0] != '\0') {
        struct piece piece = {settings, strcspn(settings, "&")};
        enum error error = parse_setting(parser, piece, &given);

        if (error != ERROR_NONE) {
            return error;
        }
        settings += piece.length + (settings[piece.length] == '&' ? 1 : 0);
    }
    return ERROR_NONE;
}

static enum error parse_host(struct parser *parser, const char *text, uint16_t default_port)
{
    char host_port[sizeof(parser->target->endpoint.host) + 8];
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof(host_port)) {
        return refuse(parser, "the host is too long");
    }
    memcpy(host_port, text, length);
    host_port[length] = '\0';
    if (net_parse_host_port(host_port, default_port, &parser->target->endpoint) != ERROR_NONE) {
        return refuse(
            parser, default_port != 0 ? "'%s' must be HOST or HOST:PORT" : "'%s' must be HOST:PORT",
            host_port);
    }
    return ERROR_NONE;
}

enum error modbus_target_parse(const char *text, struct modbus_target *out, char *why,
                               size_t why_size)
{
    struct parser parser = {out, why, why_size};
    const char *colon = strstr(text, "://");
    struct piece scheme = {text, colon != NULL ? (size_t)(colon - text) : 0};

    memset(out, 0, sizeof(*out));
    why[0] = '\0';
    if (colon == NULL || is(scheme, "tcp")) {
        out->transport = MODBUS_TCP;
        return parse_host(&parser, colon != NULL ? colon + 3 : text, TCP_PORT);
    }
    if (is(scheme, "rtutcp")) {
        out->transport = MODBUS_RTU_TCP;
        return parse_host(&parser, colon + 3, 0);
    }
    if (is(scheme, "rtu")) {
        out->transport = MODBUS_RTU;
        return parse_line(&parser, colon + 3);
    }
    return refuse(&parser, "'%.*s://' is not tcp://, rtu:// or rtutcp://", (int)scheme.length,
                  scheme.text);
}

bool modbus_target_same_endpoint(const struct modbus_target *a, const struct modbus_target *b)
{
    if ((a->transport == MODBUS_RTU) != (b->transport == MODBUS_RTU)) {
        return false;
    }
    if (a->transport == MODBUS_RTU) {
        return strcmp(a->device, b->device) == 0;
    }
    return strcasecmp(a->endpoint.host, b->endpoint.host) == 0 &&
           a->endpoint.port == b->endpoint.port;
}
