/* Slips of people who know other tools, and input that would be ignored: each is refused with a sentence that names the
 * right thing, or said. */
#include "support.h"

#include <sys/resource.h>

#define TRAIN "$G train --preset demo-softmax-sgd --set data.train_size=60 --set data.test_size=20 "
#define SWEEP "$G sweep --preset demo-softmax-sgd --set data.train_size=60 --set train.epochs=1 "

typedef struct slip {
    const char *line, *words;
} slip;

/* Exit code 2, the words in at most three lines, no folder. */
static void refuses(const slip *slips, size_t count) {
    static said s;
    for (size_t i = 0; i < count; i++) {
        sh(&s, "%s", slips[i].line);
        int lines = 0;
        for (const char *c = s.err; *c; c++) lines += *c == '\n';
        if (s.code != 2 || !strstr(s.err, slips[i].words) || lines > 3)
            fail_msg("%s\n  code %d, expected '%s' in: %s", slips[i].line, s.code, slips[i].words, s.err);
        if (access("runs", F_OK) == 0) fail_msg("%s left runs", slips[i].line);
    }
}

static void words_of_other_tools(void **state) {
    (void)state;
    static const slip slips[] = {
        {TRAIN "--set 'train.batch={name: goodputt}'",
         "unknown batch rule or schedule 'goodputt'; did you mean 'goodput'?"},
        {TRAIN "--set train.batch_size=3", "unknown option 'batch_size' of train; did you mean 'batch'?"},
        {TRAIN "--set 'measure={gradient_diversity: {evry: 1}}'",
         "unknown option 'evry' of gradient_diversity; did you mean 'every'?"},
        {TRAIN "--set train.num_epochs=3", "did you mean 'epochs'?"},
        {TRAIN "--set train.learning_rate=3", "unknown option 'learning_rate' of train; did you mean 'method.lr'?"},
        {TRAIN "--set train.lr=3", "did you mean 'method.lr'?"},
        {TRAIN "--set method.learning_rate=3", "unknown option 'learning_rate' of method sgd; did you mean 'lr'?"},
        {TRAIN "--set method.momentum=0.9", "momentum is `beta` of method msgd"},
        {TRAIN "--set 'method={name: msgd, momentum: 0.9}'",
         "unknown option 'momentum' of method msgd; did you mean 'beta'?"},
        {TRAIN "--set 'method={name: adam, betas: [0.9, 0.99]}'", "did you mean 'beta1'?"},
        {TRAIN "--set method=momentum", "unknown method 'momentum'; did you mean 'msgd'?"},
        {TRAIN "--set method=Nesterov", "did you mean 'nag'?"},
        {TRAIN "--set method=SGD", "did you mean 'sgd'?"},
        {TRAIN "--set optimizer=sgd", "unknown section 'optimizer'; did you mean 'method'?"},
        {TRAIN "--set lr=3", "unknown section 'lr'; did you mean 'method.lr'?"},
        {TRAIN "--set epochs=3", "unknown section 'epochs'; did you mean 'train.epochs'?"},
        {TRAIN "--set batch_size=3", "did you mean 'train.batch'?"},
        {TRAIN "--set 'method.lr={name: multistep, milestones: [3]}'", "did you mean 'step'?"},
        {TRAIN "--set 'method.lr={name: step, milestones: [3]}'", "did you mean 'at'?"},
        {TRAIN "--lr 3", "unknown option --lr of train; did you mean --set method.lr=VALUE?"},
        {TRAIN "--batch-size 3", "did you mean --set train.batch=VALUE?"},
        {TRAIN "--epochs 3", "did you mean --set train.epochs=VALUE?"},
        {"$G solve quadratic --method sgd --lr 3", "did you mean --set lr=VALUE?"},
        {"$G replay --method sgd --learning-rate 3", "did you mean --set lr=VALUE?"},
    };
    refuses(slips, sizeof slips / sizeof *slips);
}

static void numbers_that_are_none(void **state) {
    (void)state;
    static const slip slips[] = {
        {TRAIN "--set 'method.lr=\"0.1\"'",
         "--set method.lr: option 'lr' of method sgd: expected a number above 0, or a schedule, found '0.1' in quotes"},
        {TRAIN "--set train.batch=16..64",
         "a range LOW..HIGH is what `glissade sweep --over KEY=LOW..HIGH --trials N`"},
        {TRAIN "--set 'method.lr={from: 1'", "--set method.lr: not YAML: did not find"},
        {TRAIN "--set 'method.lr={from: x}'", "--set method.lr: option 'lr' of method sgd: expected a number"},
        {TRAIN "--set method.lr", "--set method.lr: expected section.key=value"},
        {TRAIN "--set method.lr=", "--set method.lr: nothing follows '='"},
        {"echo 'method: {name: sgd, lr: \"0.1\"}' > q.yaml; $G train q.yaml --set model=softmax",
         "q.yaml:1: option 'lr'"},
        {"echo 'model: {name: softmaxx}' > q.yaml; $G train q.yaml --set method=sgd",
         "q.yaml:1: unknown model 'softmaxx'"},
        {TRAIN "--set method=sgdd", "--set method: unknown method 'sgdd'"},
        {TRAIN "--set 'schedule={name: step, at: [4, 2]}'", "milestone 2 of at, 2, is not after 4"},
        {TRAIN "--set 'schedule={name: step, at: [4s, 2, 4s]}'", "milestone 3 of at, 4s, is not after 4s"},
    };
    refuses(slips, sizeof slips / sizeof *slips);
    static said s;
    sh(&s, TRAIN "--set train.shuffle=True --set train.tensorboard=FALSE --summary");
    assert_int_equal(s.code, 0);
}

/* Of two keys one would win, or a key would have no effect. */
static void nothing_is_ignored(void **state) {
    (void)state;
    static const slip slips[] = {
        {TRAIN "--set method.lr=0.1 --set 'schedule={name: poly, from: 0.2}'",
         "method.lr is 0.1, but the schedule begins at schedule.from, 0.2: expected one of the two"},
        {TRAIN "--set train.batch=8 --set 'train.batch_schedule={name: step, at: [1], from: 4}'",
         "train.batch is 8, but the schedule begins at train.batch_schedule.from, 4"},
        {TRAIN "--set data.name=gaussians --set data.format=glyphs",
         "data.name is 'gaussians', but data.format is 'glyphs'"},
        {TRAIN "--set train.replacement=true --set train.drop_last=true",
         "train.replacement draws examples without epochs"},
        {TRAIN "--set train.replacement=true --set train.shuffle=false",
         "train.replacement draws examples without epochs"},
        {TRAIN "--set train.target_loss=1 --set train.validate_every=0", "but train.validate_every is 0"},
        {TRAIN "--set train.average=triggered --set train.validate_every=0", "but train.validate_every is 0"},
        {TRAIN "--set 'train.average={name: uniform, decay: 0.9}'", "decay belongs to the exponential average"},
        {TRAIN "--set train.bn_span=4",
         "--set train.bn_span: train.bn_span is 4, but model 'softmax' has no batch norm"},
        {"printf 'train:\\n  bn_span: 4\\n' > m.yaml; $G train m.yaml --set model=softmax --set method=sgd",
         "m.yaml:2: train.bn_span is 4"},
        {TRAIN "--set 'schedule={name: step, at: [1], values: [3], factor: 0.5}'", "values take the place of factor"},
        {TRAIN "--set 'schedule={name: poly, warmup_from: 0.5}'", "there is no warmup"},
        {TRAIN "--set 'method.groups=[{match: \"*.bais\", lr: 1}]'",
         "match '*.bais' is the name of no block; the blocks are"},
        {TRAIN "--set 'method.groups=[{match: \"*\", lr: 1}, {match: \"*bias\", lr: 2}]'",
         "match '*bias' comes after groups that have all of its blocks"},
        {TRAIN "--set 'name=[a]'", "name: expected a text"},
        {TRAIN "--seed 1 --seed 2", "--seed is given twice"},
        {TRAIN "--out a --out b", "--out is given twice"},
        {TRAIN "--seed 1 --set train.seed=2", "--set train.seed and --seed are about the same key"},
        {"$G solve quadratic --method sgd --set name=adam", "--method and --set method.name are about the same key"},
        {"$G help train sweep", "help is about one command, found 'train' and 'sweep'"},
        {"$G data info x.svm --out y", "--out is no option of `data info`"},
        {"$G data make gaussians --out y --format idx", "--format is no option of `data make`"},
        {"$G measure --preset demo-softmax-sgd --only loss,loss", "measure 'loss' is asked for twice"},
        {"$G measure --preset demo-softmax-sgd --only loss --other x",
         "no measure that was asked for compares two runs"},
        {"$G measure --preset demo-softmax-sgd --as-sample", "--as-sample is about the rows of --gradients"},
        {"$G measure --gradients g.npy --set method.lr=1", "--set method: with --gradients there is no configuration"},
        {"$G advise --preset demo-softmax-sgd --methods msgd,adma",
         "--methods: unknown method 'adma'; did you mean 'adam'?"},
        {"$G advise --preset demo-softmax-sgd --methods msgd,msgd", "--methods: msgd is given twice"},
        {"$G advise --preset demo-softmax-sgd --methods ingd", "--methods: ingd needs its option 'L'"},
        {"$G advise --preset demo-softmax-sgd --methods ,", "--methods: unknown method ''"},
    };
    refuses(slips, sizeof slips / sizeof *slips);
}

/* Sweeps: all trials are looked at before the first one is run. */
static void sweeps_are_checked_whole(void **state) {
    (void)state;
    static const slip slips[] = {
        {SWEEP "--over method.lr=0.1,abc", "--over method.lr: option 'lr' of method sgd: expected a number"},
        {SWEEP "--over method.lr=0.1,0.10",
         "the trials method.lr=0.1 and method.lr=0.10 come to the same configuration"},
        {SWEEP "--over train.keep=2,3 --over train.keep=4", "--over train.keep is given twice"},
        {SWEEP "--set 'schedule={name: poly, from: 0.3}' --over method.lr=0.001,0.1,10",
         "--over method.lr: method.lr is 0.001, but the schedule begins at schedule.from, 0.3"},
        {SWEEP "--over train.batch=16..64", "a range needs --trials N"},
        {SWEEP "--over train.batch=16.5..64 --trials 3", "expected a range of whole numbers"},
        {SWEEP "--over train.shuffle=true,false --trials 3", "--trials: after 2 trials"},
        {"$G sweep --preset demo-softmax-sgd --set 'data={format: libsvm, train: none.svm}' --over method.lr=1,2",
         "none.svm"},
    };
    refuses(slips, sizeof slips / sizeof *slips);
    static said s;
    sh(&s, SWEEP "--over train.batch=4..6 --trials 3 --out b --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s), *trial;
    size_t i;
    int seen = 0;
    json_array_foreach(json_object_get(all, "trials"), i, trial) {
        const char *batch = json_string_value(json_object_get(json_object_get(trial, "set"), "train.batch"));
        assert_int_equal(strlen(batch), 1);
        seen |= 1 << (batch[0] - '4');
    }
    assert_int_equal(seen, 7); /* 4, 5 and 6, none twice */
    json_decref(all);
    sh(&s, SWEEP "--over method.name=sgd,adam --out m --quiet");
    assert_null(strstr(s.err, "default rate")); /* the preset gives one rate for both */
    sh(&s, SWEEP "--set method=sgd --over method.name=sgd,adam --out m2 --quiet");
    assert_non_null(strstr(s.err, "each method runs at its own default rate"));
    sh(&s, SWEEP "--set method=sgd --over method.name=sgd,adam --over method.lr=0.1,0.2 --out m3 --quiet");
    assert_null(strstr(s.err, "default rate"));
    /* Seeds are those of the configuration where nothing else is said. */
    sh(&s, SWEEP "--set train.seed=7 --set train.seeds=2 --over method.lr=0.1,0.2 --out seeds --quiet && ls -d "
                 "seeds/*/seed-7 seeds/*/seed-8 | wc -l");
    assert_int_equal(strtol(s.out, NULL, 10), 4);
}

static void what_is_legal_is_said(void **state) {
    (void)state;
    static said s;
    sh(&s, TRAIN "--set 'method={name: sgd, lr: {name: poly, from: 1}}' --set method.lr=0.5 --summary");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "--set method.lr: a constant takes the place of the schedule poly of lr"));
    sh(&s, TRAIN "--set 'method={name: sgd, lr: {name: poly, from: 1}}' --set method.lr.from=0.5 --summary");
    assert_null(strstr(s.err, "takes the place"));
    sh(&s, TRAIN "--threads $(($(nproc) + 8)) --summary");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, ", but this process may use"));
    sh(&s, "$G solve quadratic --method sgd --steps 3 --threads $(($(nproc) + 8))");
    assert_non_null(strstr(s.err, "warning: --threads "));
}

/* A model of more weights than the machine has memory for can be looked at. */
static void a_summary_needs_no_weights(void **state) {
    (void)state;
    static said s;
    struct rusage usage;
    sh(&s, "$G train --preset spans-bert-adamw --set data.train_size=60 --set data.test_size=20 --set "
           "model.positions=100000000 --summary");
    if (s.code || !strstr(s.out, "100000000 x ")) fail_msg("%d: %s%s", s.code, s.out, s.err);
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    assert_true(usage.ru_maxrss < 1 << 20); /* KiB; the vectors alone would take 25 times as much */
}

/* config.yaml: a reader of YAML 1.1 reads the values that the run had. */
static void other_readers_read_the_same(void **state) {
    (void)state;
    static said s;
    sh(&s,
       TRAIN "--set method='{name: adam, lr: 1e-3, eps: 1e-8, beta2: .99}' --set train.batch=010 --set train.time=2m "
             "--set train.keep=1k --set train.shuffle=yes --set name=0123 --set train.epochs=1e0 --out y --quiet && "
             "python3 -c 'import yaml'");
    if (s.code && strstr(s.err, "yaml")) skip(); /* PyYAML is Debian's python3-yaml */
    if (s.code) fail_msg("%s", s.err);
    sh(&s, "python3 - <<'END'\n"
           "import math, yaml\n"
           "c = yaml.safe_load(open('y/config.yaml'))\n"
           "m, t = c['method'], c['train']\n"
           "assert m['lr'] == 0.001 and m['eps'] == 1e-8 and m['beta2'] == 0.99, m\n"
           "assert t['batch'] == 10 and t['time'] == 120 and t['keep'] == 1000 and t['epochs'] == 1, t\n"
           "assert t['shuffle'] is True and t['drop_last'] is False and math.isnan(t['target_loss']), t\n"
           "assert c['name'] == '0123' and c['data']['format'] == 'glyphs', c\n"
           "def walk(v, path):\n"
           "    if isinstance(v, dict): [walk(x, path + '.' + str(k)) for k, x in v.items()]\n"
           "    elif isinstance(v, list): [walk(x, path) for x in v]\n"
           "    elif isinstance(v, str):\n"
           "        try: float(v)\n"
           "        except ValueError: return\n"
           "        assert path == '.name', (path, v)\n"
           "walk(c, '')\n"
           "END");
    if (s.code) fail_msg("%s", s.err);
    sh(&s, "$G train y/config.yaml --out z --quiet && cmp y/config.yaml z/config.yaml && cmp y/final.safetensors "
           "z/final.safetensors && $G train --resume y --quiet");
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_other_tools),        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(nothing_is_ignored),          cmocka_unit_test(sweeps_are_checked_whole),
        cmocka_unit_test(what_is_legal_is_said),       cmocka_unit_test(a_summary_needs_no_weights),
        cmocka_unit_test(other_readers_read_the_same),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
