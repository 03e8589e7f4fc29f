/* What the command says: help, lists, data, replay, and one sentence with exit code 1 or 2 for whatever is wrong. */
#include "support.h"

#include <math.h>

typedef struct wrong {
    int code;
    const char *line, *words;
} wrong;

static const wrong wrongs[] = {
    {2, "$G trian", "unknown command 'trian'; did you mean 'train'?"},
    {2, "$G train", "no configuration was given: expected a file, --preset NAME, --resume DIR or --set"},
    {2, "$G sweep", "no configuration was given: expected a file or --preset NAME"},
    {2, "$G train a.yaml b.yaml", "expected one configuration, found 'a.yaml' and 'b.yaml'"},
    {2, "$G sweep a.yaml --preset demo-softmax-sgd", "more than one configuration was given"},
    {2, "$G sweep --preset demo-softmax-sgd", "expected --over KEY=V,V,..."},
    {2, "$G sweep --preset demo-softmax-sgd --over method.lr=1 --seeds 0",
     "'--seeds' of sweep: expected a whole number"},
    {2, "$G train --resume x --out y", "leave out --out"},
    {2, "$G train --resume x --from y", "leave out --from"},
    {2, "$G train missing.yaml", "missing.yaml: cannot open"},
    {2, "mkdir -p run1 && touch run1/config.yaml && $G train run1", "that of the run in it is run1/config.yaml"},
    {2, "$G report -o x.html run1", "unknown option -o of report"},
    {2, "$G scale --preset demo-softmax-sgd --bandwidth 0", "'--bandwidth' of scale: expected a number at least 1e-06"},
    {2, "$G scale --preset demo-softmax-sgd --network ring --host-ranks 4", "--host-ranks is for --network hosts"},
    {2, "$G train --preset demo-softmax-sgd --set 'data.transforms=[{weigh: {classes: 3}}]' --out x0",
     "unknown option 'classes' of weigh; expected one of class_weights, example_weights"},
    {2, "$G train --preset demo", "unknown preset 'demo'"},
    {2, "$G train --preset demo-mlp-msg", "unknown preset 'demo-mlp-msg'; did you mean 'demo-mlp-msgd'?"},
    {2, "$G train --preset demo-softmax-sgd --oot x", "unknown option --oot of train; did you mean --out?"},
    {2, "$G train --preset demo-softmax-sgd --out", "--out needs a value"},
    {2, "$G train --preset demo-softmax-sgd --set method.lr=abc", "'lr'"},
    {2, "$G train --preset demo-softmax-sgd --set method.lr=-1", "found '-1'"},
    {2, "$G train --preset demo-softmax-sgd --set method.lr=nan", "'lr'"},
    {2, "$G train --preset demo-softmax-sgd --set train.epoch=1", "did you mean 'epochs'?"},
    {2, "$G train --preset demo-softmax-sgd --seed x",
     "option '--seed' of train: expected a whole number at least 0, found 'x'"},
    {2, "$G train --resume nowhere", "nowhere: this is not a run folder"},
    {2, "$G train --preset demo-softmax-sgd --set data.train_size=100 --from nowhere --out x1", "nowhere"},
    {2, "echo 'train: {epochs: 1' > broken.yaml; $G train broken.yaml", "broken.yaml:"},
    {2, "echo '1:2 x' > bad.svm; $G train --set data.train=bad.svm --set model=logistic --set method=sgd", "bad.svm:1"},
    {2,
     "mkdir -p d; echo 'data: {train: ../no.svm}' > d/c.yaml; $G train d/c.yaml --set model=logistic --set method=sgd",
     "d/../no.svm"},
    {1, "$G train --preset demo-softmax-sgd --set data.train_size=100 --out /proc/none/x", "/proc/none"},
    {1, "$G train --preset demo-softmax-sgd --set data.train_size=100 --set method.lr=1e300 --out x2", "step 1"},
    {2, "$G replay --gradients g.npy", "--method"},
    {2, "$G replay --method sgd --gradients none.npy", "none.npy"},
    {2, "printf 'x' > bad.npy; $G replay --method sgd --gradients bad.npy", "bad.npy"},
    {2, "$G train --preset demo-softmax-sgd --set measure.gradient_diversity.sample=autx",
     "expected a number of examples or all at least 1 and at most 1e+15, or auto, found 'autx'"},
    {2, "$G train --preset demo-softmax-sgd --set measure.gradient_diversity.every=autx", ", or auto, found 'autx'"},
    {2, "$G list metods", "unknown kind 'metods'; did you mean 'methods'?"},
    {2, "$G list methods sdg", "'sdg'"},
    {2, "$G pair --preset demo-softmax-sgd", "expected --exchange I,..."},
    {2, "$G pair --preset demo-softmax-sgd --exchange 1,,2", "--exchange: expected whole numbers from 0 with commas"},
    {2, "$G pair --preset demo-softmax-sgd --exchange 1 --batch 0", "--batch: expected whole numbers from 1"},
    {2, "$G solve rosenbrock --method sgd --share 3/2", "--share: expected a number above 0 and at most 1"},
    {2, "$G sweep --preset demo-softmax-sgd --over method.lr=1,2 --by epochs --out x3",
     "expected train.target_accuracy or train.target_loss"},
    {2, "$G sweep --preset demo-softmax-sgd --over method.lr=1,2 --by log_loss --out x4",
     "expected train.validation or data.validation"},
    {2, "$G theory", "one theorem"},
    {2, "$G theory nga", "did you mean 'nag'?"},
    {2, "$G theory nag --set L=1", "mu"},
    {2, "$G theory nag --set L=1 --set mu=2", "theorem nag needs mu <= L; here the two sides are 2 and 1"},
    {2, "$G theory microbatch_clipped --set L=1 --set gap=1 --set T=100 --set b=4 --set eps=0.2", "1/(b + 1) < eps"},
    {2, "$G list theorems nga", "'nga'"},
    {2, "$G data inof", "unknown action 'inof' of `data`; did you mean 'info'?"},
    {2, "$G data", "`data` needs an action: make, info, convert, tokenizer or suspects"},
    {2, "$G data suspects . --rank size", "'--rank' of data: expected one of factor, norm, loss"},
    {2, "$G data info", "`data info` needs a path"},
    {2, "printf 'a,b\n1,2\n' >table.csv; $G train table.csv", "table.csv: by its name this is data (csv)"},
    {2, "$G predict model.safetensors rows.csv --out p.csv", "expected --data rows.csv after the model"},
    {2, "$G data info none.svm", "none.svm"},
    {2, "echo 'a b c' > own.txt; $G data tokenizer own.txt --out own.txt", "own.txt is the file that is read"},
    {2, "echo '1 1:2' > own.svm; $G data convert own.svm --out own.svm", "own.svm is the file that is read"},
    {2, "echo 'a b c' > own.txt; $G data tokenizer own.txt --special '' --out t.json", "an empty special token"},
    {2, "$G completion tcsh", "bash, zsh or fish"},
    {2, "$G help trian", "did you mean 'train'?"},
};

/* Each wrong use has its exit code, names what is wrong in at most three lines, and leaves no run folder behind. */
static void says_what_is_wrong(void **state) {
    (void)state;
    static said s;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        sh(&s, "%s", wrongs[i].line);
        int lines = 0;
        for (const char *c = s.err; *c; c++) lines += *c == '\n';
        if (s.code != wrongs[i].code || !strstr(s.err, wrongs[i].words) || lines > 3)
            fail_msg("%s\n  code %d, expected %d, '%s' in: %s", wrongs[i].line, s.code, wrongs[i].code, wrongs[i].words,
                     s.err);
        assert_int_not_equal(access("runs", F_OK), 0);
    }
}

/* On a terminal no line is longer than it is wide; elsewhere every member is one line, for grep. */
static void lists_fit_the_terminal(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G list methods estimators | grep -c '  sngm  *normalised gradient.*Alg. 1$'");
    assert_string_equal(s.out, "1\n");
    sh(&s, "command -v script");
    if (s.code) skip(); /* of util-linux: a terminal of its own */
    sh(&s, "script -qec 'stty cols 72; $G list methods estimators; $G list methods adam' /dev/null </dev/null | tr -d "
           "'\\r' "
           ">shown; awk 'length > 72' shown; grep -c sngm shown");
    assert_string_equal(s.out, "1\n");
}

static void helps(void **state) {
    (void)state;
    static said s;
    static const char *const verbs[] = {"train",  "replay", "list",    "data",      "pair",
                                        "theory", "help",   "version", "completion"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        sh(&s, "$G help %s", verbs[i]);
        assert_int_equal(s.code, 0);
        assert_non_null(strstr(s.out, "usage: glissade"));
        sh(&s, "$G %s --help", verbs[i]);
        assert_int_equal(s.code, 0);
        assert_non_null(strstr(s.out, "usage: glissade"));
    }
    sh(&s, "$G");
    assert_int_equal(s.code, 2);
    sh(&s, "$G --version");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "float"));
}

static void lists(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G list --json");
    json_t *all = last_json(&s);
    static const char *const kinds[][2] = {{"methods", "acclip"}, {"estimators", "microbatch"},
                                           {"data", "libsvm"},    {"problems", "logistic"},
                                           {"models", "mlp"},     {"presets", "demo-mlp-adam"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool found = false;
        size_t k;
        json_t *member;
        json_array_foreach(json_object_get(all, kinds[i][0]), k, member) found =
            found || strcmp(json_string_value(json_object_get(member, "name")), kinds[i][1]) == 0;
        assert_true(found);
    }
    json_decref(all);
    sh(&s, "$G list methods adam");
    assert_non_null(strstr(s.out, "beta2"));
    assert_null(strstr(s.out, "sngm"));
}

/* theory: values with what each is; list theorems has inputs with units, conditions and outputs. */
static void gives_theory(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G theory nag --set L=9 --set mu=1 --json");
    assert_int_equal(s.code, 0);
    json_t *whole = last_json(&s), *values = json_object_get(whole, "values"), *beta = json_array_get(values, 1);
    assert_int_equal(json_array_size(values), 2);
    assert_string_equal(json_string_value(json_object_get(beta, "kind")), "momentum");
    assert_true(json_real_value(json_object_get(beta, "value")) == 0.5);
    json_decref(whole);
    sh(&s, "$G list theorems sngm_relaxed");
    assert_non_null(strstr(s.out, "[1/weight]"));
    assert_non_null(strstr(s.out, "needs                  lr <= lr_limit"));
    assert_non_null(strstr(s.out, "gives bound"));
    sh(&s, "$G train --preset demo-softmax-sgd --set data.train_size=100 --set 'method={name: sngm, from_theory: "
           "{theorem: sngm_given_batch, L: 1, gap: 1, sigma: 5, C: 100, B: 20}}' --set train.batch=10 "
           "--set train.epochs=1 --out theory-run --quiet");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "is for batch 20, this run has 10"));
    assert_non_null(strstr(s.err, "is for steps 5, this run has 10"));
    sh(&s, "cat theory-run/config.yaml; rm -r theory-run");
    assert_non_null(strstr(s.out, "gives: {beta: 0, batch: 20"));
}

/* What bash is offered for a line that is being typed. */
static void offers(said *s, const char *line, const char *words) {
    sh(s,
       "$G completion bash > c.sh && bash -c '. ./c.sh; COMP_LINE=\"$G %s\"; COMP_POINT=${#COMP_LINE}; _glissade; "
       "echo ${COMPREPLY[@]}'",
       line);
    if (strcmp(s->out, words) != 0) fail_msg("%s: %s, not %s", line, s->out, words);
}

static const json_t *named(const json_t *list, const char *name) {
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one) if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) return one;
    return NULL;
}

static double input(const json_t *whole, const char *name) {
    return json_number_value(json_object_get(named(json_object_get(whole, "inputs"), name), "measured"));
}

/* theory --measure: of a run's measurements the worst one, greatest or least by the input, null and meaningless ones
 * left out; --set first; two files, the later one counts. Written by hand: L 4, sigma 3, so that corollary 1 of SNGM
 * with gap 2, beta 0 gives B = sqrt(C sigma^2/(2 L gap)) = sqrt(1600 9/16) = 30. */
static void measures_inputs(void **state) {
    (void)state;
    static said s;
    sh(&s, "mkdir -p measured; echo 'method: sgd' > measured/config.yaml; printf '%%s\\n' "
           "'{\"measure\":\"sharpness\",\"result\":{\"hessian_norm\":4}}' "
           "'{\"measure\":\"sharpness\",\"result\":{\"hessian_norm\":2}}' "
           "'{\"measure\":\"sharpness\",\"result\":{\"hessian_norm\":9,\"meaningless\":\"why\"}}' "
           "'{\"measure\":\"noise_norm\",\"result\":{\"noise_rms\":null}}' "
           "'{\"measure\":\"noise_norm\",\"result\":{\"noise_rms\":3}}' "
           "'{\"measure\":\"alpha_moments\",\"result\":{\"alpha\":1.6}}' "
           "'{\"measure\":\"gradient_diversity\",\"result\":{\"batch_size_bound\":30,\"second_moment\":5}}' "
           "'{\"measure\":\"gradient_diversity\",\"result\":{\"batch_size_bound\":20,\"second_moment\":4}}' "
           "> measured/measures.jsonl");
    sh(&s, "$G theory sngm_optimal --measure measured --set gap=2 --set C=1600 --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *whole = last_json(&s);
    assert_true(input(whole, "L") == 4 && input(whole, "sigma") == 3);
    assert_true(fabs(json_number_value(json_object_get(named(json_object_get(whole, "values"), "batch"), "value")) -
                     30) < 1e-12);
    json_decref(whole);
    sh(&s, "$G theory diversity_convex --measure measured --set D0=1 --set eps=0.1 --json");
    whole = last_json(&s);
    assert_true(input(whole, "M2") == 5 && input(whole, "BS") == 20);
    json_decref(whole);
    sh(&s, "$G theory sngm_optimal --measure measured --set L=8 --set gap=2 --set C=1600");
    assert_non_null(strstr(s.out, "hessian_norm of sharpness, the greatest of 2 in measured; --set is used instead"));
    assert_non_null(strstr(s.out, "21.21320"));
    sh(&s, "$G theory gclip_nonconvex --measure measured --set gap=2 --set K=100");
    assert_int_equal(s.code, 2);
    assert_non_null(
        strstr(s.err, "needs G (alpha_moment of alpha_moments), which measured has not measured: `glissade measure RUN "
                      "--only alpha_moments --json"));
    sh(&s, "echo "
           "'{\"measures\":{\"alpha_moments\":{\"greatest_coordinate_moment\":3,\"coordinate_moment_norm\":4,\"alpha\":"
           "1.5},\"sharpness\":{\"hessian_norm\":1}}}' > "
           "later.json; $G "
           "theory cclip_nonconvex --measure measured --measure later.json --set gap=2 --set K=100 --set d=3 --json");
    if (s.code) fail_msg("%s", s.err);
    whole = last_json(&s);
    assert_true(input(whole, "B_i") == 3 && input(whole, "B_norm") == 4 && input(whole, "alpha") == 1.5 &&
                input(whole, "L") == 1);
    json_decref(whole);
    sh(&s, "$G theory clip --measure measured --set gap=2 --set eps=0.1");
    assert_non_null(strstr(s.err, "measure.smoothness.every=1"));
    sh(&s, "$G theory nag --measure nowhere --set mu=1");
    assert_int_equal(s.code, 2);
    sh(&s, "echo '{}' > empty.json; $G theory nag --measure empty.json --set mu=1");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "empty.json: expected a run folder"));
}

/* The column of names is as wide as the longest: every help text of a kind begins at the same place. */
static void lines_names_up(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G list theorems | grep '^  [a-z]' | sed 's/^\\(  [a-z_0-9]* *\\).*/\\1/' | awk '{print "
           "length}' | sort -u | wc -l");
    assert_int_equal(atoi(s.out), 1);
}

static void completes(void **state) {
    (void)state;
    static said s;
    offers(&s, "tr", "train\n");
    offers(&s, "train --pre", "--preset\n");
    offers(&s, "help eval", "evaluate\n");
    offers(&s, "list sched", "schedules\n");
    offers(&s, "list methods acc", "acclip\n");
    offers(&s, "train --preset demo-mlp-sn", "demo-mlp-sngm\n");
    offers(&s, "train --set meth", "method.\n");
    offers(&s, "train --set train.valid", "train.validate_every= train.validation=\n");
    offers(&s, "train --set method.name=nagx", "\n");
    offers(&s, "train --set method.name=acc", "acclip\n");
    offers(&s, "train --set method.name=acclip --set method.tau", "method.tau0=\n");
    offers(&s, "replay --method adam --set method.ep", "method.eps=\n");
    static const char *const shells[] = {"zsh", "fish"};
    for (size_t i = 0; i < 2; i++) {
        sh(&s, "$G completion %s > c && { ! command -v %s > there || %s -n c; }", shells[i], shells[i], shells[i]);
        if (s.code) fail_msg("%s: %s", shells[i], s.err);
    }
}

/* Every page: roff without a complaint where groff is installed, and every option of the verb in it. */
static void has_manual_pages(void **state) {
    (void)state;
    static said s;
    sh(&s,
       "for v in '' $($G completion words -- '' | cut -f1); do $G help --man $v > page || exit 3; "
       "if command -v groff > there; then groff -man -ww -Tutf8 page 2>&1 >text | grep . && exit 4; fi; "
       "for f in $($G completion words -- ${v:-help} - | cut -f1); do "
       "[ -z \"$v\" ] || grep -qF -e \"$(printf %%s $f | sed 's/-/\\\\-/g')\" page || { echo $v $f; exit 5; }; done; "
       "done; true");
    if (s.code) fail_msg("%d: %s%s", s.code, s.out, s.err);
    sh(&s, "$G help --man train");
    assert_non_null(strstr(s.out, ".TH GLISSADE\\-TRAIN 1"));
    assert_non_null(strstr(s.out, "glissade\\-train \\- train a model\n"));
    assert_non_null(strstr(s.out, "validate_every"));
}

/* A table is shown as it is, with what training will ask about it. */
static void tables_are_shown(void **state) {
    (void)state;
    static said s;
    sh(&s, "{ echo age,name,y; for i in $(seq 1100); do echo $((i%7)),n$i,1; done; echo ,n1,0; } >t.csv; "
           "$G data info t.csv --set target=y");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "  name                     1100 texts: n1 0.182%"));
    assert_non_null(strstr(s.out, "training refuses missing values unless data.fill says"));
    assert_non_null(strstr(s.out, "training refuses column 'name' for its many texts"));
    assert_string_equal(s.err, "glissade: t.csv: 1 value is missing: 'age' 1 (first in line 1102)\n");
    sh(&s, "$G data info t.csv --json 2>/dev/null");
    json_t *table = last_json(&s);
    json_t *name = json_array_get(json_object_get(table, "columns"), 1);
    assert_int_equal(json_integer_value(json_object_get(name, "texts")), 1100);
    json_decref(table);
    sh(&s, "$G data info t.csv --set target=y --set fill=refuse");
    assert_int_equal(s.code, 2);
}

/* data make, info and convert agree on what a set is. */
static void handles_data(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G data make gaussians --set train_size=50 --set features=3 --out g.npy && $G data info g.npy --json");
    assert_int_equal(s.code, 0);
    json_t *info = last_json(&s);
    assert_int_equal(json_integer_value(json_object_get(info, "examples")), 50);
    assert_int_equal(json_integer_value(json_object_get(info, "features")), 3);
    json_decref(info);
    sh(&s, "$G data convert g.npy --out g.svm && $G data info g.svm");
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.out, "50"));
    sh(&s,
       "$G data convert g.svm --out g.csv && head -1 g.csv && $G data convert g.csv --set target=class --out h.npy && "
       "$G data convert g.npy --out g.idx && ls g-labels.idx h-labels.npy");
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.out, "x1,x2,x3,class\ng-labels.idx\nh-labels.npy\n");
    assert_non_null(strstr(s.err, "g.csv: sparse rows become dense: 50 x 3 values"));
    sh(&s, "$G data convert g.npy --out g.parquet; ls g.parquet");
    assert_int_equal(s.code, 2);
    assert_non_null(
        strstr(s.err, "g.parquet: its name says no format to write; expected one that ends with .npy (npy)"));
    sh(&s, "$G data make gaussians --out g.txt");
    assert_int_equal(s.code, 2);
    sh(&s, "$G data make gaussians --out g.npz");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "g.npz: npz is only read; expected a name that ends with .npy (npy), .csv (csv)"));
    /* What a reader says of a guessed format, and of one that does not exist. */
    sh(&s, "echo 'a;b' >g.data; $G data info g.data");
    assert_int_equal(s.code, 2);
    assert_non_null(
        strstr(s.err, "g.data:1: 'a;b': expected a number as label (read as libsvm, which its name suggests"));
    sh(&s, "$G data info g.data --format libsvm");
    assert_null(strstr(s.err, "read as"));
    sh(&s, "$G train --set model=softmax --set method=sgd --set data.train=g.data");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "(read as libsvm, which"));
    sh(&s, "$G train --set model=softmax --set method=sgd --set data.train=g.data --set data.format=libsvm");
    assert_int_equal(s.code, 2);
    assert_null(strstr(s.err, "read as"));
    sh(&s, "$G data info g.data --format parquet");
    assert_int_equal(s.code, 2);
    assert_non_null(
        strstr(s.err, "unknown data format 'parquet'; expected one of libsvm, idx, cifar10, npy, npz, frames, csv"));
    /* A packed file that ends too soon is called cut, wherever that is. */
    sh(&s, "for i in 1 2 3 4 5 6 7 8 9; do echo \"1 1:$i 2:$i$i\"; done >c.svm; gzip -k c.svm; n=$(wc -c <c.svm.gz); "
           "for k in 3 9 12 20 $((n-9)) $((n-1)); do head -c $k c.svm.gz >k.svm.gz; $G data info k.svm.gz 2>&1 | "
           "grep -c 'the gzip stream is cut off'; done | sort -u");
    assert_string_equal(s.out, "1\n");
}

/* Replay from files: one SGD step of lr 0.5 from zero. */
static void replays(void **state) {
    (void)state;
    static said s;
    FILE *f = fopen("r.npy", "wb");
    char header[118];
    memset(header, ' ', sizeof header);
    static const char words[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
    memcpy(header, words, sizeof words - 1);
    header[117] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(header, 1, sizeof header, f);
    const double g[] = {1, 2, 3, -1, 0, 1};
    fwrite(g, sizeof g, 1, f);
    fclose(f);
    sh(&s, "$G replay --method sgd --set lr=0.5 --gradients r.npy --out w.npy --trajectory t.npy --json");
    if (s.code) fail_msg("%s", s.err);
    f = fopen("w.npy", "rb");
    float w[3];
    fseek(f, -(long)sizeof w, SEEK_END);
    assert_int_equal(fread(w, sizeof w, 1, f), 1);
    fclose(f);
    assert_true(w[0] == 0 && w[1] == -1 && w[2] == -2);
    f = fopen("t.npy", "rb");
    fseek(f, 0, SEEK_END);
    assert_int_equal(ftell(f) % 64, 36 % 64); /* 9 floats behind an aligned header */
    fclose(f);
    json_decref(last_json(&s));
}

/* A verb that fails leaves the present folder as it was: no empty folders, no half-written files. */
static void failures_leave_nothing(void **state) {
    (void)state;
    static said s;
#define PARTS "--set data=gaussians --set model=logistic "
    static const char *const lines[] = {
        "train " PARTS "--set method=nosuch",
        "train " PARTS "--set method=sgd --set data.train=missing.svm --set data.format=libsvm",
        "train " PARTS "--set method=sgd --set train.seeds=2 --set train.batch=0",
        "train " PARTS "--set method=sgd --set train.seeds=2 --set data.train_size=0 --out x/y",
        "train " PARTS "--set method=sgd --from nowhere --out x",
        "sweep --preset demo-softmax-sgd --over method.nosuch=1,2",
        "sweep --preset demo-softmax-sgd --over method.lr=0.1,0.2 --set data.train_size=0 --out x",
        "sweep --preset demo-softmax-sgd --over method.lr=0.1..1",
        "advise --preset demo-softmax-sgd --set data.train_size=0 --budget 1s",
        "measure nowhere",
        "predict nowhere --data x.svm --out p.csv",
        "evaluate nowhere --data x.svm",
        "report nowhere --out page.html",
        "data make gaussians --set features=0 --out x.svm",
        "data convert nowhere.svm --out x.npy",
        "solve nosuch --method sgd --plot path.svg",
        "replay --method sgd --gradients nowhere.npy --out w.npy",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        sh(&s, "rm -rf empty && mkdir empty && cd empty && $G %s", lines[i]);
        if (s.code != 2) fail_msg("%s: code %d: %s", lines[i], s.code, s.err);
        sh(&s, "ls -A empty");
        if (*s.out) fail_msg("%s leaves %s", lines[i], s.out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong),     cmocka_unit_test(helps),
        cmocka_unit_test(lists_fit_the_terminal), cmocka_unit_test(lists),
        cmocka_unit_test(gives_theory),           cmocka_unit_test(measures_inputs),
        cmocka_unit_test(lines_names_up),         cmocka_unit_test(completes),
        cmocka_unit_test(has_manual_pages),       cmocka_unit_test(handles_data),
        cmocka_unit_test(tables_are_shown),       cmocka_unit_test(replays),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
