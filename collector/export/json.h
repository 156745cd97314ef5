/*
 * The flame tree as JSON: what the html export holds and a web page fetches.
 *
 * {
 *   "format": "libprof-flame", "version": 1,
 *   "program": "app",                 base name of the main program, "" if unknown
 *   "title": "app: inuse_space",
 *   "time": "2026-01-31T12:00:00Z",   null if unknown
 *   "duration_ns": 0,                 0 if unknown
 *   "period": {"type": "space", "unit": "bytes", "value": 524288},
 *   "comments": ["..."],
 *   "sample_types": [{"type": "inuse_space", "unit": "bytes"}, ...],
 *   "default": 3,                     index of the type to show first
 *   "diff": false,
 *   "strings": ["", "main", ...],     columns below refer to it by index
 *   "frames": {"name": [1], "file": [0], "line": [10], "object": [2]},
 *   "nodes": {
 *     "frame":   [-1, 0, ...],        index into frames; -1: the root, node 0
 *     "depth":   [0, 1, ...],
 *     "inlined": [0, 0, ...],
 *     "self":      [[...], ...],      by sample type, then by node
 *     "base_self": [[...], ...]       only if diff: what it is compared with
 *   }
 * }
 *
 * Nodes come in preorder, so the parent of a node is the last one before it whose
 * depth is smaller by one, and one sweep from the end adds up inclusive values.
 * "self" is signed: without "diff" it may be negative for the difference of two
 * profiles. frames.line is 0 and file "" where unknown.
 */
#ifndef COLLECTOR_EXPORT_JSON_H
#define COLLECTOR_EXPORT_JSON_H

#include "export/format.h"

export_write_fn json_write;

#endif
