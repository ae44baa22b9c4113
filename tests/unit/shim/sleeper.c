// Says hello, or sleeps for so many seconds without a word; ends with such an exit code.
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    unsigned seconds = count > 1 ? (unsigned)atoi(arguments[1]) : 0;
    if (seconds == 0 && write(1, "hello\n", 6) != 6) return 99;
    sleep(seconds);
    return count > 2 ? atoi(arguments[2]) : 0;
}
