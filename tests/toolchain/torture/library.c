// stdio, strings, locale, wide characters, sorting, time, memory functions of all sizes.
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static unsigned long check_memory(void) {
    static unsigned char a[600], b[600], c[600];
    unsigned long h = 1;
    for (int n = 0; n < 300; n += n < 140 ? 1 : 13)
        for (int s = 0; s < 20; s += 3)
            for (int d = 0; d < 20; d += 7) {
                for (int i = 0; i < 600; i++) a[i] = b[i] = c[i] = (unsigned char)(i * 7 + n);
                memmove(a + 100 + d, a + 100 + s, (size_t)n);
                memmove(b + 100 + s, b + 100 + d, (size_t)n);
                memset(c + d, s, (size_t)n);
                for (int i = 0; i < 600; i++) h = (h ^ a[i]) * 31 + b[i] * 17u + c[i];
                memcpy(c + 300, a + s, (size_t)n);
                int r = memcmp(c + 300, a + s, (size_t)n);
                h += r == 0;
                if (n) {
                    c[300 + n / 2] ^= 128;
                    r = memcmp(c + 300, a + s, (size_t)n);
                    h = h * 3 + (r < 0 ? 1 : r > 0 ? 2 : 0);
                }
            }
    return h;
}

// Around 64 KB, from where on memcmp compares part by part.
static void compare_long(void) {
    static unsigned char a[140000], b[140000];
    const int sizes[] = {65535, 65536, 65537, 65544, 131072, 131077};
    const int places[] = {0, 65534, 65535, 65536, 65540, 131071, 131076};
    for (int i = 0; i < 140000; i++) a[i] = b[i] = (unsigned char)(i * 13);
    for (int i = 0; i < 6; i++) {
        printf("%d:", sizes[i]);
        for (int k = 0; k < 7; k++) {
            b[places[k]] ^= 1;
            int r = memcmp(a, b, (size_t)sizes[i]);
            printf(" %d", (r > 0) - (r < 0));
            b[places[k]] ^= 1;
        }
        printf(" %d\n", memcmp(a, b, (size_t)sizes[i]));
    }
}

int main(void) {
    printf("%lx\n", check_memory());
    compare_long();
    char name[] = "/tmp/.popcorn-XXXXXX";
    FILE *f = fdopen(mkstemp(name), "w+");
    for (int i = 0; i < 1000; i++) fprintf(f, "line %d\n", i);
    rewind(f);
    char *line = 0;
    size_t room = 0;
    long sum = 0, n = 0;
    while (getline(&line, &room, f) > 0) sum += atol(line + 5), n++;
    printf("%ld %ld %ld\n", n, sum, ftell(f));
    fseek(f, 5, SEEK_SET);
    putchar(getc(f));
    putchar(getc(f));
    ungetc('u', f);
    printf("%c\n", getc(f));
    fclose(f);
    unlink(name);
    char *text;
    size_t size;
    FILE *mem = open_memstream(&text, &size);
    fprintf(mem, "%s-%d", "memory", 5);
    fclose(mem);
    printf("%s %zu\n", text, size);
    printf("%s\n", setlocale(LC_ALL, "C"));
    printf("%d %d %d\n", isalpha('x') != 0, toupper('q'), isdigit('x') != 0);
    wchar_t w[20];
    printf("%zu ", mbstowcs(w, "plain", 20));
    printf("%d\n", wcscmp(w, L"plain") == 0);
    printf("%ls %d\n", L"wide", towupper(L'a'));
    struct tm tm = {0};
    time_t when = 86400 * 365L;
    setenv("TZ", "UTC0", 1);
    tzset();
    gmtime_r(&when, &tm);
    char b[64];
    strftime(b, sizeof b, "%Y-%m-%d %H:%M:%S %j", &tm);
    puts(b);
    printf("%ld\n", (long)mktime(&tm));
    char words[] = "one two,three";
    for (char *save, *p = strtok_r(words, " ,", &save); p; p = strtok_r(0, " ,", &save)) printf("%s;", p);
    puts("");
    printf("%s %s %s\n", strstr("haystack needle", "need"), strchr("abc", 'b'), strrchr("a/b/c", '/'));
    printf("%zu %zu\n", strspn("aab", "a"), strcspn("xyz;", ";"));
    printf("%s %d\n", strerror(ENOENT), strcasecmp("ABC", "abc"));
    void *root = 0;
    for (int i = 0; i < 10; i++) {
        char k[8];
        sprintf(k, "k%d", i);
        tsearch(strdup(k), &root, (int (*)(const void *, const void *))strcmp);
    }
    printf("%d\n", tfind("k7", &root, (int (*)(const void *, const void *))strcmp) != 0);
    char *blocks[200];
    for (int i = 0; i < 200; i++) {
        blocks[i] = malloc((size_t)i * 333 + 1);
        memset(blocks[i], i, (size_t)i * 333 + 1);
    }
    for (int i = 0; i < 200; i += 2) free(blocks[i]);
    for (int i = 1; i < 200; i += 2) {
        blocks[i] = realloc(blocks[i], (size_t)i * 700 + 5);
        if ((unsigned char)blocks[i][i * 300] != i) puts("bad");
        free(blocks[i]);
    }
    void *al;
    printf("%d %d\n", posix_memalign(&al, 4096, 100), (int)((unsigned long)al & 4095));
    int *z = calloc(1000, 4);
    printf("%d\n", z[999]);
    return 0;
}
