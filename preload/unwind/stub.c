#include "unwind/unwind.h"
#include "unwind/module.h"
#include <link.h>
#include <stddef.h>
enum unwind_engine unwind_init(enum unwind_engine w){return w;}
unsigned module_find(uintptr_t pc){return 0;}
void module_before_unload(void){} void module_after_unload(void){}
void module_set_sink(void (*s)(unsigned, const struct module*)){}
unsigned unwind_here(const struct unwind_stack *st, uint64_t *f, unsigned max, enum unwind_end *end){
 uintptr_t *fp=__builtin_frame_address(0); unsigned n=0; 
 while(n<max && fp && (uintptr_t)fp>st->low && (uintptr_t)fp<st->high-16){ f[n++]=fp[1]-1; uintptr_t*nx=(void*)fp[0]; if(nx<=fp)break; fp=nx;} *end=UNWIND_BROKEN; return n;}
