#include "verbs.h"
#include "workbench.h"

int main(int argc, char **argv)
{
    static const struct verb verbs[] = {
        AGENT_VERBS,
        {"lab", "[OPTIONS]", "start target simulators and a push receiver on loopback", cmd_lab},
        {"demo", "[FILE] [--for 30s]", "lab, agent and a live view in one command", cmd_demo},
        {"rules", "FILE... [--output FILE]", "write Prometheus rules and alerts for a fleet",
         cmd_rules},
        {"dashboard", "[FILE...] [--output DIR]", "write Grafana dashboards for a fleet",
         cmd_dashboard},
        {"sim", "[--seed N] [--days D]", "simulate days of faults in seconds, from one seed",
         cmd_sim},
        {0}};
    return verbs_main("picket", "the workbench for synthetic probes at branch sites", verbs, argc,
                      argv);
}
