/* prof's export command alone. */
#include "cli/cmd_export.h"

int main(int argc, char **argv)
{
    return cmd_export(argc, argv);
}
