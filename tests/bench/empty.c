/* A library that does nothing: what preloading one costs in itself. */
int empty_library;
