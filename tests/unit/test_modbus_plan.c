/* Guards against registers that are missed, asked twice, or asked although nobody named them, and
 * against a bad register that takes its neighbours with it. Random sets of reads are planned
 * against a model device that knows which registers exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "modbus_plan.h"
#include "prng.h"

enum { ROUNDS = 20000, SPACE = 96 };

static unsigned pick(struct prng *prng, unsigned bound)
{
    return (unsigned)prng_below(prng, bound);
}

struct device {
    bool exists[4][SPACE];
    unsigned border; /* no request may cross it; 0: none */
};

static bool device_answers(const struct device *device, const struct modbus_request *request)
{
    unsigned end = request->address + request->count;

    for (unsigned at = request->address; at < end; at++) {
        if (!device->exists[request->table][at]) {
            return false;
        }
    }
    return device->border == 0 || request->address >= device->border || end <= device->border;
}

struct outcome {
    bool answered[CAP_VALUES], refused[CAP_VALUES], apart[CAP_VALUES];
    unsigned requests, splits;
};

/* Every register of a request is one that some value it answers has. */
static void assert_no_register_unasked(const struct modbus_plan *plan,
                                       const struct modbus_request *request)
{
    bool named[SPACE + 8] = {false};

    for (unsigned place = request->first; place < request->end; place++) {
        const struct modbus_span *span = &plan->spans[plan->sorted[place]];

        assert_int_equal(span->table, request->table);
        assert_true(span->address >= request->address);
        assert_true(span->address + span->count <= request->address + request->count);
        for (unsigned i = 0; i < span->count; i++) {
            named[span->address + i] = true;
        }
    }
    for (unsigned i = 0; i < request->count; i++) {
        assert_true(named[request->address + i]);
    }
}

static void run(struct modbus_plan *plan, const struct device *device, struct outcome *outcome)
{
    struct modbus_request request;

    memset(outcome, 0, sizeof(*outcome));
    while (modbus_plan_next(plan, &request)) {
        unsigned limit =
            request.table <= MODBUS_TABLE_DISCRETE ? plan->max_bits : plan->max_registers;
        outcome->requests++;
        assert_true(request.end > request.first);
        assert_in_range(request.count, 1, limit);
        assert_no_register_unasked(plan, &request);
        bool answers = device_answers(device, &request);
        if (!answers && modbus_plan_split(plan, &request)) {
            outcome->splits++;
            continue;
        }
        for (unsigned place = request.first; place < request.end; place++) {
            unsigned value = plan->sorted[place];
            assert_false(outcome->answered[value] || outcome->refused[value]);
            outcome->answered[value] = answers;
            outcome->refused[value] = !answers;
        }
    }
    modbus_plan_learn(plan, outcome->refused, outcome->apart);
}

static unsigned random_spans(struct prng *prng, struct modbus_span *spans, unsigned max_registers)
{
    unsigned count = 1 + pick(prng, CAP_VALUES);

    for (unsigned i = 0; i < count; i++) {
        unsigned table = pick(prng, 4);
        unsigned length = table <= MODBUS_TABLE_DISCRETE ? 1 : 1 + pick(prng, 4);
        length = length > max_registers ? max_registers : length;
        spans[i] = (struct modbus_span){
            .table = (uint8_t)table,
            .address = (uint16_t)pick(prng, SPACE - length + 1),
            .count = (uint16_t)length,
        };
    }
    return count;
}

static void every_value_is_asked_exactly_once_within_limits(void **state)
{
    struct prng prng;

    (void)state;
    prng.state = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct device device = {.border = pick(&prng, 3) == 0 ? pick(&prng, SPACE) : 0};
        unsigned holes = pick(&prng, 5);
        unsigned max_registers = 1 + pick(&prng, 20), max_bits = 1 + pick(&prng, 20);
        struct modbus_span spans[CAP_VALUES];
        struct modbus_plan plan;
        struct outcome outcome;
        unsigned count = random_spans(&prng, spans, max_registers);

        memset(device.exists, 1, sizeof(device.exists));
        for (unsigned i = 0; i < holes; i++) {
            device.exists[pick(&prng, 4)][pick(&prng, SPACE)] = false;
        }
        modbus_plan_init(&plan, spans, count, max_registers, max_bits);
        run(&plan, &device, &outcome);
        assert_true(outcome.requests <= 2 * count - 1);
        for (unsigned i = 0; i < count; i++) {
            struct modbus_request alone = {
                .table = spans[i].table, .address = spans[i].address, .count = spans[i].count};
            assert_int_equal(outcome.answered[i], device_answers(&device, &alone));
            assert_int_equal(outcome.refused[i], !outcome.answered[i]);
        }
    }
}

/* What is learnt serves: within a few runs nothing needs to be split any more. */
static void what_is_learnt_ends_the_splitting(void **state)
{
    struct prng prng;

    (void)state;
    prng.state = 2;
    for (unsigned round = 0; round < ROUNDS / 10; round++) {
        struct device device = {.border = pick(&prng, SPACE)};
        struct modbus_span spans[CAP_VALUES];
        struct outcome outcome;
        unsigned count = random_spans(&prng, spans, 125), runs = 0;

        memset(device.exists, 1, sizeof(device.exists));
        for (unsigned i = 0; i < 4; i++) {
            device.exists[i][pick(&prng, SPACE)] = false;
        }
        do {
            struct modbus_plan plan;

            modbus_plan_init(&plan, spans, count, 125, 2000);
            run(&plan, &device, &outcome);
            for (unsigned i = 0; i < count; i++) {
                spans[i].alone = outcome.refused[i];
                spans[i].apart = spans[i].apart || outcome.apart[i];
            }
            assert_true(++runs <= 6);
        } while (outcome.splits > 0);
    }
}

static void assert_requests(const struct modbus_span *spans, unsigned count, unsigned max_registers,
                            const char *expected)
{
    struct modbus_plan plan;
    struct modbus_request request;
    char text[256] = "";

    modbus_plan_init(&plan, spans, count, max_registers, 2000);
    while (modbus_plan_next(&plan, &request)) {
        char one[32];
        snprintf(one, sizeof(one), "%s %u+%u;", modbus_table_names[request.table], request.address,
                 request.count);
        strncat(text, one, sizeof(text) - strlen(text) - 1);
    }
    assert_string_equal(text, expected);
}

static void neighbours_and_overlaps_go_together_gaps_do_not(void **state)
{
    const struct modbus_span spans[] = {
        {.table = MODBUS_TABLE_HOLDING, .address = 104, .count = 2},
        {.table = MODBUS_TABLE_HOLDING, .address = 100, .count = 2},
        {.table = MODBUS_TABLE_HOLDING, .address = 102, .count = 2},
        {.table = MODBUS_TABLE_HOLDING, .address = 101, .count = 1},
        {.table = MODBUS_TABLE_HOLDING, .address = 107, .count = 1},
        {.table = MODBUS_TABLE_INPUT, .address = 106, .count = 1},
        {.table = MODBUS_TABLE_COIL, .address = 0, .count = 1},
        {.table = MODBUS_TABLE_COIL, .address = 1, .count = 1},
    };

    (void)state;
    assert_requests(spans, ARRAY_LEN(spans), 125,
                    "coil 0+2;input 106+1;holding 100+6;holding 107+1;");
    assert_requests(spans, ARRAY_LEN(spans), 4,
                    "coil 0+2;input 106+1;holding 100+4;holding 104+2;holding 107+1;");
}

static void a_value_that_stands_alone_parts_its_neighbours(void **state)
{
    struct modbus_span spans[] = {
        {.table = MODBUS_TABLE_HOLDING, .address = 100, .count = 1},
        {.table = MODBUS_TABLE_HOLDING, .address = 101, .count = 1, .alone = true},
        {.table = MODBUS_TABLE_HOLDING, .address = 102, .count = 1},
        {.table = MODBUS_TABLE_HOLDING, .address = 103, .count = 1},
    };

    (void)state;
    assert_requests(spans, ARRAY_LEN(spans), 125, "holding 100+1;holding 101+1;holding 102+2;");
    spans[1].alone = false;
    spans[2].apart = true;
    assert_requests(spans, ARRAY_LEN(spans), 125, "holding 100+2;holding 102+2;");
}

static void the_last_registers_are_reached(void **state)
{
    const struct modbus_span spans[] = {
        {.table = MODBUS_TABLE_HOLDING, .address = 65535, .count = 1},
        {.table = MODBUS_TABLE_HOLDING, .address = 65531, .count = 4},
        {.table = MODBUS_TABLE_HOLDING, .address = 0, .count = 1},
    };

    (void)state;
    assert_requests(spans, ARRAY_LEN(spans), 125, "holding 0+1;holding 65531+5;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_asked_exactly_once_within_limits),
        cmocka_unit_test(what_is_learnt_ends_the_splitting),
        cmocka_unit_test(neighbours_and_overlaps_go_together_gaps_do_not),
        cmocka_unit_test(a_value_that_stands_alone_parts_its_neighbours),
        cmocka_unit_test(the_last_registers_are_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
