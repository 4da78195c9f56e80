#include "modbus_plan.h"

#include <string.h>

static const struct modbus_span *span_at(const struct modbus_plan *plan, unsigned place)
{
    return &plan->spans[plan->sorted[place]];
}

static bool comes_before(const struct modbus_span *a, const struct modbus_span *b)
{
    if (a->table != b->table) {
        return a->table < b->table;
    }
    return a->address < b->address;
}

/* Insertion keeps equal addresses in the order of the file; n is at most CAP_VALUES. */
static void sort(struct modbus_plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++) {
        unsigned place = i;

        while (place > 0 && comes_before(&plan->spans[i], span_at(plan, place - 1))) {
            plan->sorted[place] = plan->sorted[place - 1];
            place--;
        }
        plan->sorted[place] = (uint8_t)i;
    }
}

static unsigned limit_of(const struct modbus_plan *plan, const struct modbus_span *span)
{
    return modbus_table_of_bits((enum modbus_table)span->table) ? plan->max_bits
                                                                : plan->max_registers;
}

/* The end of the longest run of values from `first` that one request can answer. */
static unsigned group_end(const struct modbus_plan *plan, unsigned first, unsigned last)
{
    const struct modbus_span *head = span_at(plan, first);
    uint32_t end = (uint32_t)head->address + head->count;
    unsigned place = first + 1;

    while (place < last && !head->alone) {
        const struct modbus_span *span = span_at(plan, place);
        uint32_t span_end = (uint32_t)span->address + span->count;
        uint32_t longer = span_end > end ? span_end : end;

        if (span->alone || span->apart || span->table != head->table || span->address > end ||
            longer - head->address > limit_of(plan, head)) {
            break;
        }
        end = longer;
        place++;
    }
    return place;
}

/* Puts the values sorted[first] to sorted[last - 1] on the stack, the lowest group on top. */
static void push(struct modbus_plan *plan, unsigned first, unsigned last)
{
    unsigned bottom = plan->pending_count;

    while (first < last) {
        unsigned end = group_end(plan, first, last);

        plan->pending[plan->pending_count].first = (uint8_t)first;
        plan->pending[plan->pending_count].end = (uint8_t)end;
        plan->pending_count++;
        first = end;
    }
    for (unsigned low = bottom, high = plan->pending_count; low + 1 < high; low++) {
        uint8_t swap_first = plan->pending[low].first, swap_end = plan->pending[low].end;

        high--;
        plan->pending[low] = plan->pending[high];
        plan->pending[high].first = swap_first;
        plan->pending[high].end = swap_end;
    }
}

void modbus_plan_init(struct modbus_plan *plan, const struct modbus_span *spans, unsigned count,
                      unsigned max_registers, unsigned max_bits)
{
    memset(plan, 0, sizeof(*plan));
    plan->max_registers = (uint16_t)max_registers;
    plan->max_bits = (uint16_t)max_bits;
    plan->count = (uint8_t)count;
    memcpy(plan->spans, spans, count * sizeof(*spans));
    sort(plan);
    push(plan, 0, count);
}

bool modbus_plan_next(struct modbus_plan *plan, struct modbus_request *request)
{
    uint32_t end = 0;

    if (plan->pending_count == 0) {
        return false;
    }
    plan->pending_count--;
    request->first = plan->pending[plan->pending_count].first;
    request->end = plan->pending[plan->pending_count].end;
    for (unsigned place = request->first; place < request->end; place++) {
        uint32_t span_end = (uint32_t)span_at(plan, place)->address + span_at(plan, place)->count;
        end = span_end > end ? span_end : end;
    }
    request->table = span_at(plan, request->first)->table;
    request->address = span_at(plan, request->first)->address;
    request->count = (uint16_t)(end - request->address);
    return true;
}

bool modbus_plan_split(struct modbus_plan *plan, const struct modbus_request *request)
{
    unsigned middle = (request->first + request->end) / 2U;

    if (request->end - request->first < 2) {
        return false;
    }
    plan->splits[plan->split_count++] = (struct modbus_split){
        .first = request->first, .middle = (uint8_t)middle, .end = request->end};
    push(plan, middle, request->end);
    push(plan, request->first, middle);
    return true;
}

/* A split is a border when nothing in it was refused for good, and no smaller split lies in it. */
static bool is_border(const struct modbus_plan *plan, const struct modbus_split *split,
                      const bool *refused)
{
    for (unsigned place = split->first; place < split->end; place++) {
        if (refused[plan->sorted[place]]) {
            return false;
        }
    }
    for (unsigned i = 0; i < plan->split_count; i++) {
        const struct modbus_split *other = &plan->splits[i];

        if (other != split && other->first >= split->first && other->end <= split->end) {
            return false;
        }
    }
    return true;
}

void modbus_plan_learn(const struct modbus_plan *plan, const bool *refused, bool *apart)
{
    for (unsigned i = 0; i < plan->split_count; i++) {
        if (is_border(plan, &plan->splits[i], refused)) {
            apart[plan->sorted[plan->splits[i].middle]] = true;
        }
    }
}
