/* Small networks that between them hold every op, for checks against difference quotients. */
#ifndef GLS_TESTS_MODEL_SAMPLES_H
#define GLS_TESTS_MODEL_SAMPLES_H

#include "check.h"

typedef struct sample {
    const char *family, *options;
    int64_t rows, c, h, w, classes, targets;
} sample;

static const sample samples[] = {
    {"mlp", "{hidden: [300, 200], activation: leaky_relu, label_smoothing: 0.1}", 7, 13, 0, 0, 5, 0},
    {"mlp", "{hidden: 5, loss: squared}", 1, 3, 0, 0, 0, 2},
    {"mlp", "{hidden: [], loss: logistic, init: torch}", 4, 6, 0, 0, 2, 0},
    {"convnet", "{channels: 3, units: 9}", 2, 2, 9, 7, 4, 0},
    {"convnet", "{channels: 4, variant: cuda, init: orthogonal}", 1, 3, 11, 8, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: gelu, norm: layer, dropout: 0.3}", 6, 5, 0, 0, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: tanh, norm: batch, init: glorot}", 6, 5, 0, 0, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: sigmoid, dropout: 0.5}", 6, 5, 0, 0, 3, 0},
    {"layers",
     "{layers: [{conv: {channels: 6, kernel: 3, stride: 2, pad: 1, groups: 3}}, layer_norm, {leaky_relu: {slope: 0.2}},"
     " {average_pool: {kernel: 3, stride: 1, pad: 1}}, dropout, {batch_norm: {name: bn}}, sigmoid, flatten]}",
     5, 3, 7, 5, 72, 0},
    {"layers",
     "{layers: [gelu, tanh, {conv: {channels: 4, kernel: 2}}, {group_norm: {groups: 2}}, global_pool], loss: squared}",
     2, 2, 3, 3, 0, 4},
    {"layers",
     "{layers: [{conv: {channels: 6, kernel: 1}}, {dense: {units: 5}}, gelu, {dense: {units: 3, name: last}}, "
     "global_pool]}",
     3, 2, 1, 7, 3, 0},
    {"layers",
     "{layers: [{dense: {units: 7, name: a}}, tanh, {dense: {units: 9, tie: a.weight, transpose: true}}, tanh,"
     " {dense: {units: 7, tie: a.weight}}]}",
     4, 9, 0, 0, 7, 0},
    {"layers",
     "{layers: [{embedding: {dim: 5}}, layer_norm, {dense: {units: 8}}, tanh, dropout, {dense: {units: 11}}],"
     " label_smoothing: 0.1}",
     5, 11, 6, -1, 0, 0},
    {"layers", "{layers: [{embedding: {dim: 5}}, tanh, global_pool, {dense: {units: 3}}], init: torch}", 3, 11, 4, -1,
     3, 0},
    {"layers",
     "{layers: [{embedding: {dim: 5, name: e}}, tanh, {dense: {units: 11, tie: e.weight}}, tanh,"
     " {dense: {tie: e.weight, transpose: true}}, gelu, {dense: {tie: e.weight}}]}",
     4, 11, 3, -1, 0, 0},
    {"nplm", "{embedding: 4, window: 3, hidden: 6, dropout: 0.2}", 4, 11, 5, -1, 0, 0},
    {"nplm", "{embedding: 4, window: 7, hidden: 4, tie: true}", 3, 11, 5, -1, 0, 0},
    {"nplm", "{embedding: 4, window: 2, hidden: 6}", 3, 11, 5, -1, 3, 0},
    {"layers", "{layers: [{embedding: {dim: 70}}, gelu, {dense: {units: 500}}]}", 1, 500, 1, -1, 0, 0},
    {"resnet", "{depth: 8, width: 4}", 3, 3, 8, 7, 3, 0},
    {"resnet", "{depth: 8, width: 4, norm: group, groups: 2}", 1, 3, 8, 7, 3, 0},
    {"resnet", "{depth: 18, width: 2, shape: imagenet}", 3, 2, 33, 35, 3, 0},
    {"resnet", "{depth: 50, width: 2, shape: imagenet, norm: group, groups: 1}", 1, 2, 33, 35, 3, 0},
};

#endif
