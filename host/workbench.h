/* The verbs that only the workbench has. */
#ifndef PICKET_WORKBENCH_H
#define PICKET_WORKBENCH_H

int cmd_lab(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_dashboard(int argc, char **argv);
int cmd_sim(int argc, char **argv);

#endif
