"""Small language models that differ in nothing but the tokenizer, and what that does to them.

Only this package imports PyTorch, and it sees tokenizers through `bpetok.protocols.TokenizerLike` alone.
One flow:

    words -> items of a task -> prompts in the tokens of an arm -> model -> answers in bytes -> scores ->
    report

`words` has the word lists and their splits, `tasks` what is asked, `arms` how a prompt is tokenized,
`data` the batches, `model`, `optim` and `train` the training, `evaluate` the answers, `statistics` the
intervals, and `run` all of it for many arms, tasks and seeds.
"""
