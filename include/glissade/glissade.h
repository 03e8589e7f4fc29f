/* glissade.h: gradient methods that stay in control, and measures of the gradients they follow. */
#ifndef GLISSADE_H
#define GLISSADE_H

#include <glissade/base.h>
#include <glissade/options.h>
#include <glissade/comm.h>
#include <glissade/data.h>
#include <glissade/problem.h>
#include <glissade/model.h>
#include <glissade/estimator.h>
#include <glissade/predict.h>
#include <glissade/method.h>
#include <glissade/measure.h>
#include <glissade/monitor.h>
#include <glissade/run.h>
#include <glissade/search.h>
#include <glissade/report.h>
#include <glissade/experiment.h>

#endif
