/* prof export --to FORMAT [-o OUT] FILE... */
#ifndef COLLECTOR_CLI_CMD_EXPORT_H
#define COLLECTOR_CLI_CMD_EXPORT_H

/* argv[0] is the command's name. Returns the exit status. */
int cmd_export(int argc, char **argv);

#endif
