/* glissade.h: gradient methods that stay in control, and measures of the gradients they follow. */
#ifndef GLISSADE_H
#define GLISSADE_H

#include "base.h"
#include "comm.h"
#include "data.h"
#include "problem.h"
#include "model.h"
#include "estimator.h"
#include "method.h"
#include "measure.h"
#include "run.h"
#include "search.h"

#endif
