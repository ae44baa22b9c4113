#include "text.h"

#include "system.h"

void text_string(struct text *text, const char *string) {
    while (*string != 0 && text->size < sizeof text->bytes) text->bytes[text->size++] = *string++;
}

static void put_digits(struct text *text, uint64_t value, unsigned base, unsigned least) {
    char digits[20];
    unsigned count = 0;
    do {
        unsigned digit = (unsigned)(value % base);
        digits[count++] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
        value /= base;
    } while (value != 0 || count < least);
    while (count != 0 && text->size < sizeof text->bytes) text->bytes[text->size++] = digits[--count];
}

void text_decimal(struct text *text, int64_t value) {
    if (value < 0) text_string(text, "-");
    put_digits(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 1);
}

void text_hex(struct text *text, uint64_t value) {
    text_string(text, "0x");
    put_digits(text, value, 16, 16);
}

void text_double(struct text *text, double value, unsigned digits) {
    if (value < 0) {
        text_string(text, "-");
        value = -value;
    }
    uint64_t whole = (uint64_t)value;
    double rest = value - (double)whole;
    put_digits(text, whole, 10, 1);
    text_string(text, ".");
    while (digits-- != 0) {
        rest *= 10;
        put_digits(text, (uint64_t)rest, 10, 1);
        rest -= (double)(uint64_t)rest;
    }
}

void text_write(struct text *text, int fd) {
    size_t done = 0;
    while (done < text->size) {
        long count = sys_write(fd, text->bytes + done, text->size - done);
        if (count == -kEagain)
            sys_nanosleep(1);
        else if (count < 0 && count != -kEintr)
            break;
        if (count > 0) done += (size_t)count;
    }
    text->size = 0;
}

int64_t number_from(const char *string, int64_t otherwise) {
    if (*string < '0' || *string > '9') return otherwise;
    int64_t value = 0;
    for (; *string >= '0' && *string <= '9' && value < 100000000000; string++) value = value * 10 + (*string - '0');
    return value;
}
