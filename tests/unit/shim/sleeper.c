// Says hello, sleeps for so many seconds, ends with such an exit code.
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (write(1, "hello\n", 6) != 6) return 99;
    if (count > 1) sleep((unsigned)atoi(arguments[1]));
    return count > 2 ? atoi(arguments[2]) : 0;
}
