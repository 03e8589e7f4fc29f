/* Checkpoints whose method's state is in pieces, one file a rank: checkpoints/piece-R-of-P-step-NUMBER.safetensors. */
#ifndef GLS_RUN_PIECES_H
#define GLS_RUN_PIECES_H

#include "base/tensors.h"
#include "run/loop/run.h"

/* In a checkpoint, how many there are. */
#define GLS_PIECES_NOTE "pieces"

/* This rank's piece of the checkpoint at the present step, which is written behind all pieces. */
gls_status gls_pieces_write(gls_run *run, const char *folder);
/* The method's state from a checkpoint, whatever numbers of ranks it was written and is read by. */
gls_status gls_pieces_read(gls_run *run, const char *folder, gls_tensors *file);
/* Removes pieces whose checkpoint is not there. */
gls_status gls_pieces_tidy(gls_run *run, const char *folder);

#endif
