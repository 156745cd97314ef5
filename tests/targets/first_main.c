int first_call_done(void);

int main(void)
{
    return first_call_done() ? 0 : 1;
}
