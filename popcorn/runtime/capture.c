/* From native frames to records. */
#include "internal.h"

extern const struct popcorn_sites __popcorn_sites;

/* A resume function whose frame varies takes no more than so many times the frame that stands for it, its record, and
 * this. */
enum { kGrowth = 3, kVarying = 1024 };

struct table {
    const struct popcorn_sites *head;
    const struct popcorn_site_row *rows;
    const struct popcorn_unwind *unwinds;
    const struct popcorn_saved *saved;
    const struct popcorn_location *locations;
};

static uint64_t aligned(uint64_t at) {
    return (at + 7) & ~UINT64_C(7);
}

static struct table open_table(void) {
    const struct popcorn_sites *head = &__popcorn_sites;
    uint64_t at = (uint64_t)(head + 1);
    struct table table = {.head = head, .rows = (const void *)at};
    at = aligned(at + head->rows * sizeof *table.rows);
    table.unwinds = (const void *)at;
    at = aligned(at + head->unwinds * sizeof *table.unwinds);
    table.saved = (const void *)at;
    at = aligned(at + head->saved * sizeof *table.saved);
    table.locations = (const void *)at;
    return table;
}

static const struct popcorn_site_row *find_row(const struct table *table, uint64_t pc) {
    uint64_t wanted = pc - table->head->base;
    if (table->head->magic != POPCORN_SITES_MAGIC || wanted > UINT32_MAX) return NULL;
    uint32_t low = 0, high = table->head->rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->rows[middle].address < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->head->rows && table->rows[low].address == wanted ? &table->rows[low] : NULL;
}

/* What is known of the walk so far. */
struct walk {
    struct thread *thread;
    struct table table;
    struct popcorn_registers at;
    uint64_t to, end;   /* of the records' buffer; `to` goes beyond the end where it is too small */
    uint64_t last;      /* record written last */
    uint64_t lowest[2]; /* object in each stack region */
    uint64_t needed;    /* bytes of stack that the resume functions take */
};

static int region_of(const struct thread *thread, uint64_t address) {
    for (int i = 0; i < 2; i++)
        if (address - thread->abi.stack[i] <= thread->abi.stack_size) return i;
    return -1;
}

static void note_object(struct walk *walk, uint64_t address) {
    int region = region_of(walk->thread, address);
    if (region >= 0 && address < walk->lowest[region]) walk->lowest[region] = address;
}

/* Gives room for a record, or NULL where there is none. */
static struct popcorn_frame *add_record(struct walk *walk, uint64_t resume, uint64_t site, uint64_t words) {
    struct popcorn_frame *frame = (struct popcorn_frame *)walk->to;
    walk->to += sizeof *frame + 8 * words;
    if (walk->to > walk->end) return NULL;
    frame->next = walk->last;
    frame->resume = resume;
    frame->site = site;
    frame->words = words;
    walk->last = (uint64_t)frame;
    return frame;
}

static void copy_bytes(void *to, uint64_t from, unsigned count) {
    uint8_t *at = to;
    for (unsigned i = 0; i < count; i++) at[i] = ((const uint8_t *)from)[i];
}

static void read_value(const struct walk *walk, const struct popcorn_location *location, uint64_t *to) {
    for (unsigned i = 1; i < location->words; i++) to[i] = 0;
    const struct popcorn_registers *at = &walk->at;
    switch (location->kind) {
    case POPCORN_REGISTER:
        if (location->reg < 32) {
            to[0] = at->gpr[location->reg];
        } else {
            to[0] = at->vector[location->reg - 32].low;
            if (location->words > 1) to[1] = at->vector[location->reg - 32].high;
        }
        break;
    case POPCORN_DIRECT:
        to[0] = at->gpr[location->reg] + (uint64_t)(int64_t)location->offset;
        break;
    case POPCORN_INDIRECT:
        to[0] = 0;
        if (location->bytes == 8)
            to[0] = *(const uint64_t *)(at->gpr[location->reg] + (uint64_t)(int64_t)location->offset);
        else
            copy_bytes(to, at->gpr[location->reg] + (uint64_t)(int64_t)location->offset, location->bytes);
        break;
    case POPCORN_WIDE_CONSTANT:
        to[0] = *(const uint64_t *)(walk->table.locations + location->offset);
        break;
    default:
        to[0] = (uint64_t)(int64_t)location->offset;
        break;
    }
}

extern const uint64_t __popcorn_resume_functions[];

/* Of a frame in which a resume function has not got its first answer yet: the record that it was called with. NULL of
 * others. */
static const struct popcorn_frame *copy_in(const struct walk *walk, const struct popcorn_site_row *row) {
    uint64_t address;
    if (!row->copy) return NULL;
    read_value(walk, walk->table.locations + row->first_location, &address);
    return (const struct popcorn_frame *)address;
}

void *__popcorn_copy_record(struct popcorn_frame *to, const struct popcorn_frame *from) {
    uint64_t *out = (uint64_t *)to;
    const uint64_t *in = (const uint64_t *)from;
    for (uint64_t i = 0; i < sizeof *to / 8 + from->words; i++) out[i] = in[i];
    return (void *)from->next;
}

static void write_record(struct walk *walk, const struct popcorn_site_row *row) {
    const struct popcorn_location *locations = walk->table.locations + row->first_location;
    const struct popcorn_frame *copy = copy_in(walk, row);
    uint64_t words = copy != NULL ? copy->words : 0;
    for (unsigned i = 0; copy == NULL && i < row->locations; i++) words += locations[i].words;
    struct popcorn_frame *frame =
        add_record(walk, __popcorn_resume_functions[row->function], copy != NULL ? copy->site : row->index, words);
    if (frame == NULL) return;
    uint64_t *word = frame->word;
    for (uint64_t i = 0; copy != NULL && i < words; i++) word[i] = copy->word[i];
    for (unsigned i = 0; copy == NULL && i < row->locations; i++) {
        read_value(walk, &locations[i], word);
        word += locations[i].words;
    }
    for (unsigned i = 0; i < row->allocas; i++) note_object(walk, frame->word[i]);
    if (!row->floors) return;
    /* Objects of variable size lie above the stack pointer, in whichever region it was at the time. */
    uint64_t *floors = frame->word + row->allocas, sp = walk->at.gpr[kStackPointer];
    int region = region_of(walk->thread, sp);
    if (region >= 0 && (floors[region] == 0 || sp < floors[region])) floors[region] = sp;
    for (int i = 0; i < 2; i++)
        if (floors[i] != 0) note_object(walk, floors[i]);
}

static void to_caller(struct walk *walk, const struct popcorn_site_row *row) {
    const struct popcorn_unwind *unwind = &walk->table.unwinds[row->unwind];
    struct popcorn_registers *at = &walk->at;
    uint64_t cfa = at->gpr[unwind->cfa_register] + (uint64_t)(int64_t)unwind->cfa_offset;
    const struct popcorn_saved *saved = walk->table.saved + unwind->first_saved;
    for (unsigned i = 0; i < unwind->saved; i++) {
        uint64_t value = *(const uint64_t *)(cfa + (uint64_t)(int64_t)saved[i].offset);
        if (saved[i].reg < 32)
            at->gpr[saved[i].reg] = value;
        else
            at->vector[saved[i].reg - 32].low = value;
    }
    if (row->resumed != UINT32_MAX)
        walk->needed += row->resumed;
    else
        walk->needed += kGrowth * (cfa - at->gpr[kStackPointer]) + 8 * (uint64_t)row->locations + kVarying;
    at->gpr[kStackPointer] = cfa;
#if defined(__x86_64__)
    at->pc = *(const uint64_t *)(cfa - 8);
#else
    at->pc = at->gpr[30];
#endif
}

static int walk_frames(struct walk *walk) {
    while (walk->at.pc != (uint64_t)popcorn_base) {
        const struct popcorn_site_row *row = find_row(&walk->table, walk->at.pc);
        if (row == NULL) return 0;
        write_record(walk, row);
        to_caller(walk, row);
    }
    return 1;
}

static int set_resume_stack(struct walk *walk, uint64_t sp_now) {
    struct popcorn_thread *thread = &walk->thread->abi;
    int other = region_of(walk->thread, sp_now) == 0 ? 1 : 0;
    uint64_t sp = (walk->lowest[other] - 256) & ~UINT64_C(15);
    if (sp - thread->stack[other] > thread->stack_size) return 0;
    /* Beside the frames, the program has to have what it asked for. */
    if (sp - thread->stack[other] < walk->needed + thread->stack_size / kStackFactor) return 0;
    thread->resume_sp = sp;
    thread->frames = walk->last;
    return 1;
}

static int grow(struct thread *thread, uint64_t size) {
    size = (2 * size + 0xffff) & ~UINT64_C(0xffff);
    void *buffer = popcorn_map(size);
    if (buffer == NULL) return 0;
    if (thread->buffer != 0) raw(kMunmap, (long)thread->buffer, (long)thread->buffer_size, 0, 0, 0, 0);
    thread->buffer = (uint64_t)buffer;
    thread->buffer_size = size;
    return 1;
}

int popcorn_capture(struct thread *thread, const struct popcorn_registers *from, uint64_t resume, const uint64_t *words,
                    unsigned count) {
    for (;;) {
        struct walk walk = {.thread = thread, .table = open_table(), .at = *from};
        walk.to = thread->buffer;
        walk.end = thread->buffer + thread->buffer_size;
        for (int i = 0; i < 2; i++) walk.lowest[i] = thread->abi.stack[i] + thread->abi.stack_size;
        struct popcorn_frame *frame = add_record(&walk, resume, 0, count);
        for (unsigned i = 0; frame != NULL && i < count; i++) frame->word[i] = words[i];
        if (!walk_frames(&walk)) return 0;
        if (walk.to <= walk.end) return set_resume_stack(&walk, from->gpr[kStackPointer]);
        if (!grow(thread, walk.to - thread->buffer)) return 0;
    }
}
