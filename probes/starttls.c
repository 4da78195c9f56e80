#include "starttls.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const starttls_names[] = {"none", "smtp",     "imap", "pop3",
                                      "ftp",  "postgres", "ldap", NULL};

uint16_t starttls_port(enum starttls_protocol protocol)
{
    static const uint16_t ports[STARTTLS_PROTOCOL_COUNT] = {
        [STARTTLS_NONE] = 443, [STARTTLS_SMTP] = 25, [STARTTLS_IMAP] = 143,
        [STARTTLS_POP3] = 110, [STARTTLS_FTP] = 21,  [STARTTLS_POSTGRES] = 5432,
        [STARTTLS_LDAP] = 389,
    };
    return ports[protocol];
}

static void refuse(struct starttls *dialog, const char *cause)
{
    dialog->state = STARTTLS_REFUSED;
    snprintf(dialog->why, sizeof(dialog->why), "%s", cause);
}

static void say(struct starttls *dialog, const void *bytes, size_t count)
{
    assert(count <= sizeof(dialog->out) - dialog->out_length);
    memcpy(dialog->out + dialog->out_length, bytes, count);
    dialog->out_length += count;
    dialog->step++;
}

static void say_line(struct starttls *dialog, const char *line)
{
    say(dialog, line, strlen(line));
}

static void refuse_line(struct starttls *dialog, const char *line)
{
    dialog->state = STARTTLS_REFUSED;
    snprintf(dialog->why, sizeof(dialog->why), "server answered: %s", line);
}

/* The three digits a reply of SMTP or FTP begins with, 0 when it does not. */
static unsigned reply_code(const char *line)
{
    unsigned code = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (line[i] < '0' || line[i] > '9') {
            return 0;
        }
        code = code * 10 + (unsigned)(line[i] - '0');
    }
    return line[3] == '\0' || line[3] == ' ' || line[3] == '-' ? code : 0;
}

/* RFC 959 section 4.2: a reply of several lines ends with its own code and no hyphen; what stands
 * between may be anything. True when the reply is whole. */
static bool reply_ends(struct starttls *dialog, const char *line, unsigned *code)
{
    *code = reply_code(line);
    if (dialog->reply_code != 0) {
        if (*code != dialog->reply_code || line[3] == '-') {
            return false;
        }
        dialog->reply_code = 0;
        return true;
    }
    if (*code != 0 && line[3] == '-') {
        dialog->reply_code = *code;
        return false;
    }
    return true;
}

static void take_smtp_line(struct starttls *dialog, const char *line)
{
    unsigned code;
    if (!reply_ends(dialog, line, &code)) {
        return;
    }
    if (dialog->step == 0 && code == 220) {
        say_line(dialog, "EHLO picket\r\n");
    } else if (dialog->step == 1 && code == 250) {
        /* Asked for even when it was not offered: some servers forget to say. */
        say_line(dialog, "STARTTLS\r\n");
    } else if (dialog->step == 2 && code == 220) {
        dialog->state = STARTTLS_READY;
    } else {
        refuse_line(dialog, line);
    }
}

static void take_ftp_line(struct starttls *dialog, const char *line)
{
    unsigned code;
    if (!reply_ends(dialog, line, &code)) {
        return;
    }
    if (dialog->step == 0 && code == 120) {
        return; /* "ready in some minutes": 220 follows */
    }
    if (dialog->step == 0 && code == 220) {
        say_line(dialog, "AUTH TLS\r\n");
    } else if (dialog->step == 1 && (code == 234 || code == 334)) {
        dialog->state = STARTTLS_READY;
    } else {
        refuse_line(dialog, line);
    }
}

static bool begins_with(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncasecmp(line, word, length) == 0 && (line[length] == '\0' || line[length] == ' ');
}

static void take_imap_line(struct starttls *dialog, const char *line)
{
    if (dialog->step == 0) {
        if (begins_with(line, "* OK") || begins_with(line, "* PREAUTH")) {
            say_line(dialog, "a STARTTLS\r\n");
        } else {
            refuse_line(dialog, line);
        }
    } else if (begins_with(line, "a OK")) {
        dialog->state = STARTTLS_READY;
    } else if (!begins_with(line, "*") || begins_with(line, "* BYE")) {
        refuse_line(dialog, line);
    }
}

static void take_pop3_line(struct starttls *dialog, const char *line)
{
    if (!begins_with(line, "+OK")) {
        refuse_line(dialog, line);
    } else if (dialog->step == 0) {
        say_line(dialog, "STLS\r\n");
    } else {
        dialog->state = STARTTLS_READY;
    }
}

static void take_line(struct starttls *dialog)
{
    char line[STARTTLS_LINE_BYTES + 1];
    size_t length = dialog->held;
    memcpy(line, dialog->line, length);
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    line[length] = '\0';
    dialog->held = 0;
    switch (dialog->protocol) {
    case STARTTLS_SMTP:
        take_smtp_line(dialog, line);
        break;
    case STARTTLS_IMAP:
        take_imap_line(dialog, line);
        break;
    case STARTTLS_POP3:
        take_pop3_line(dialog, line);
        break;
    case STARTTLS_FTP:
        take_ftp_line(dialog, line);
        break;
    default:
        assert(false);
    }
}

static void take_line_byte(struct starttls *dialog, char byte)
{
    if (byte == '\n') {
        take_line(dialog);
        return;
    }
    if (dialog->held < sizeof(dialog->line)) {
        dialog->line[dialog->held++] = byte == '\0' ? '?' : byte;
    }
}

static void take_postgres_byte(struct starttls *dialog, uint8_t byte)
{
    switch (byte) {
    case 'S':
        dialog->state = STARTTLS_READY;
        break;
    case 'N':
        refuse(dialog, "server has TLS switched off");
        break;
    case 'E':
        refuse(dialog, "server answered the TLS request with an error");
        break;
    default:
        refuse(dialog, "server's answer is not PostgreSQL's");
    }
}

/* One BER element of a tag below 31 and a definite length of at most two bytes. */
struct element {
    uint8_t tag;
    size_t header, length;
};

enum element_state { ELEMENT_WHOLE, ELEMENT_SHORT, ELEMENT_BAD };

static enum element_state read_element(const uint8_t *bytes, size_t count, struct element *out)
{
    if (count < 2) {
        return ELEMENT_SHORT;
    }
    out->tag = bytes[0];
    size_t length_bytes = bytes[1] < 0x80 ? 0 : bytes[1] & 0x7FU;
    if ((bytes[0] & 0x1F) == 0x1F || bytes[1] == 0x80 || length_bytes > 2) {
        return ELEMENT_BAD;
    }
    if (count < 2 + length_bytes) {
        return ELEMENT_SHORT;
    }
    out->header = 2 + length_bytes;
    out->length = length_bytes == 0 ? bytes[1] : 0;
    for (size_t i = 0; i < length_bytes; i++) {
        out->length = out->length << 8 | bytes[2 + i];
    }
    return out->length <= count - out->header ? ELEMENT_WHOLE : ELEMENT_SHORT;
}

/* The element of `tag` at *at, which moves behind it; NULL when it is another or not whole. */
static const uint8_t *expect_element(const uint8_t **at, const uint8_t *end, uint8_t tag,
                                     size_t *length)
{
    struct element element;
    if (read_element(*at, (size_t)(end - *at), &element) != ELEMENT_WHOLE || element.tag != tag) {
        return NULL;
    }
    const uint8_t *content = *at + element.header;
    *at = content + element.length;
    *length = element.length;
    return content;
}

/* LDAPMessage { messageID 1, ExtendedResponse { resultCode, … } } (RFC 4511 sections 4.1.1, 4.12)
 */
static void take_ldap_message(struct starttls *dialog, const uint8_t *message, size_t count)
{
    const uint8_t *at = message, *end = message + count;
    size_t length;
    const uint8_t *content = expect_element(&at, end, 0x30, &length);
    if (content != NULL) {
        at = content;
        content = expect_element(&at, end, 0x02, &length);
    }
    if (content == NULL || length != 1 || content[0] != 1) {
        refuse(dialog, "server's answer is not LDAP's to the request made");
        return;
    }
    content = expect_element(&at, end, 0x78, &length);
    if (content != NULL) {
        at = content;
        content = expect_element(&at, content + length, 0x0A, &length);
    }
    if (content == NULL || length != 1) {
        refuse(dialog, "server's answer is not LDAP's to the request made");
    } else if (content[0] != 0) {
        dialog->state = STARTTLS_REFUSED;
        snprintf(dialog->why, sizeof(dialog->why), "server answered with LDAP result code %u",
                 content[0]);
    } else {
        dialog->state = STARTTLS_READY;
    }
}

static void take_ldap_byte(struct starttls *dialog, uint8_t byte)
{
    struct element element;
    if (dialog->held == sizeof(dialog->message)) {
        refuse(dialog, "server's answer is longer than any to a TLS request");
        return;
    }
    dialog->message[dialog->held++] = byte;
    if (dialog->message[0] != 0x30) {
        refuse(dialog, "server's answer is not LDAP's");
        return;
    }
    switch (read_element(dialog->message, dialog->held, &element)) {
    case ELEMENT_WHOLE:
        take_ldap_message(dialog, dialog->message, dialog->held);
        break;
    case ELEMENT_SHORT:
        break;
    case ELEMENT_BAD:
        refuse(dialog, "server's answer is not LDAP's");
        break;
    }
}

static void take_byte(struct starttls *dialog, uint8_t byte)
{
    switch (dialog->protocol) {
    case STARTTLS_POSTGRES:
        take_postgres_byte(dialog, byte);
        break;
    case STARTTLS_LDAP:
        take_ldap_byte(dialog, byte);
        break;
    default:
        take_line_byte(dialog, (char)byte);
    }
}

void starttls_begin(struct starttls *dialog, enum starttls_protocol protocol)
{
    /* SSLRequest: its length and the number 80877103 where a version would stand. */
    static const uint8_t postgres[] = {0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F};
    /* LDAPMessage { messageID 1, ExtendedRequest { requestName 1.3.6.1.4.1.1466.20037 } } */
    static const char ldap[] = "\x30\x1D\x02\x01\x01\x77\x18\x80\x16"
                               "1.3.6.1.4.1.1466.20037";
    *dialog = (struct starttls){.protocol = protocol, .state = STARTTLS_MORE};
    switch (protocol) {
    case STARTTLS_NONE:
        dialog->state = STARTTLS_READY;
        break;
    case STARTTLS_POSTGRES:
        say(dialog, postgres, sizeof(postgres));
        break;
    case STARTTLS_LDAP:
        say(dialog, ldap, sizeof(ldap) - 1);
        break;
    default:
        break; /* the server speaks first */
    }
}

enum starttls_state starttls_feed(struct starttls *dialog, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count && dialog->state != STARTTLS_REFUSED; i++) {
        if (dialog->state == STARTTLS_READY) {
            refuse(dialog, "server went on in clear behind its go-ahead for TLS");
        } else if (++dialog->bytes_taken > STARTTLS_BYTES_MAX) {
            refuse(dialog, "server says too much before TLS");
        } else {
            take_byte(dialog, at[i]);
        }
    }
    return dialog->state;
}

const void *starttls_output(const struct starttls *dialog, size_t *count)
{
    *count = dialog->state == STARTTLS_REFUSED ? 0 : dialog->out_length - dialog->out_sent;
    return dialog->out + dialog->out_sent;
}

void starttls_sent(struct starttls *dialog, size_t count)
{
    assert(count <= dialog->out_length - dialog->out_sent);
    dialog->out_sent += count;
}
