#include "table.h"

#include <glissade/method.h>

extern const gls_method_type gls_method_sgd, gls_method_msgd, gls_method_nag, gls_method_adagrad, gls_method_rmsprop,
    gls_method_adam, gls_method_adamw, gls_method_amsgrad, gls_method_lars, gls_method_lamb, gls_method_sngd,
    gls_method_sngm, gls_method_clip, gls_method_ngd, gls_method_gclip, gls_method_cclip, gls_method_acclip,
    gls_method_singd, gls_method_ingd;

const gls_member *const gls_method_members[] = {
    &gls_method_sgd.member,     &gls_method_msgd.member,  &gls_method_nag.member,   &gls_method_adagrad.member,
    &gls_method_rmsprop.member, &gls_method_adam.member,  &gls_method_adamw.member, &gls_method_amsgrad.member,
    &gls_method_lars.member,    &gls_method_lamb.member,  &gls_method_sngd.member,  &gls_method_sngm.member,
    &gls_method_clip.member,    &gls_method_ngd.member,   &gls_method_gclip.member, &gls_method_cclip.member,
    &gls_method_acclip.member,  &gls_method_singd.member, &gls_method_ingd.member,  NULL};

extern const gls_schedule_type gls_schedule_constant, gls_schedule_step, gls_schedule_poly, gls_schedule_cosine,
    gls_schedule_inverse, gls_schedule_geometric;

const gls_member *const gls_schedule_members[] = {&gls_schedule_constant.member,
                                                  &gls_schedule_step.member,
                                                  &gls_schedule_poly.member,
                                                  &gls_schedule_cosine.member,
                                                  &gls_schedule_inverse.member,
                                                  &gls_schedule_geometric.member,
                                                  NULL};
