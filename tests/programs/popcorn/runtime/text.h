/* Lines of text, built in a buffer and written by one system call. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    size_t size;
    char bytes[500];
};

void text_string(struct text *text, const char *string);
void text_decimal(struct text *text, int64_t value);
void text_hex(struct text *text, uint64_t value);                   /* 0x, and 16 digits */
void text_double(struct text *text, double value, unsigned digits); /* digits behind the point, cut off */
void text_write(struct text *text, int fd);                         /* all of it; empties the text */

int64_t number_from(const char *string, int64_t otherwise); /* decimal; `otherwise` where there is none */
