/* Asks a running agent for its status (status_server.h has the protocol). */
#ifndef PICKET_STATUS_CLIENT_H
#define PICKET_STATUS_CLIENT_H

#include <stdio.h>

/* Sends the question ("text\n", "colour\n" or "json\n") and copies the rendering to `out`. Returns
 * EXIT_CODE_OK, EXIT_CODE_FAILURE (something is failing), or EXIT_CODE_USAGE with errno when no
 * agent answers within two seconds. */
int status_client_ask(const char *socket_path, const char *question, FILE *out);

#endif
