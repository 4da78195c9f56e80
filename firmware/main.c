#include "verbs.h"

int main(int argc, char **argv)
{
    static const struct verb verbs[] = {AGENT_VERBS, {0}};
    return verbs_main("picketd", "synthetic probes and health checks for branch sites", verbs, argc,
                      argv);
}
