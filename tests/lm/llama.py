"""A Llama's forward pass in NumPy and double precision, from the tensors of a GGUF file, written from the
format and the papers: what the weights say, whoever computes it.

Also writes GGUF files of small models, to be read."""

import json

import gguf
import numpy as np


class Llama:
    """The tensors of a file, unpacked, and its settings."""

    def __init__(self, path) -> None:
        reader = gguf.GGUFReader(path)
        self.tensors = {
            tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors
        }

        def setting(key: str):
            return reader.fields[f"llama.{key}"].contents()

        self.n_layers = setting("block_count")
        self.n_heads = setting("attention.head_count")
        self.n_shared = self.n_heads // setting("attention.head_count_kv")
        self.epsilon = setting("attention.layer_norm_rms_epsilon")
        self.base = setting("rope.freq_base")

    def log_probabilities(self, ids: list[int]) -> np.ndarray:
        """Of what comes next behind the ids, shape (tokens,)."""
        x = self.tensors["token_embd.weight"][ids].astype(np.float64)
        for layer in range(self.n_layers):
            x = x + self._attention(self._normed(x, f"blk.{layer}.attn_norm.weight"), layer)
            h = self._normed(x, f"blk.{layer}.ffn_norm.weight")
            gate = self._times(h, f"blk.{layer}.ffn_gate.weight")
            up = self._times(h, f"blk.{layer}.ffn_up.weight")
            x = x + self._times(gate / (1 + np.exp(-gate)) * up, f"blk.{layer}.ffn_down.weight")
        last = self._normed(x[-1:], "output_norm.weight")
        # Where there is no output, it is tied to the embedding.
        logits = self._times(
            last, "output.weight" if "output.weight" in self.tensors else "token_embd.weight"
        )[0]
        return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())

    def _times(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.tensors[name].astype(np.float64).T

    def _normed(self, x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * self.tensors[name]

    def _attention(self, x: np.ndarray, layer: int) -> np.ndarray:
        q, k, v = (
            self._times(x, f"blk.{layer}.attn_{name}.weight").reshape(len(x), heads, -1).swapaxes(0, 1)
            for name, heads in (
                ("q", self.n_heads),
                ("k", self.n_heads // self.n_shared),
                ("v", self.n_heads // self.n_shared),
            )
        )
        k, v = (np.repeat(each, self.n_shared, axis=0) for each in (self._turned(k), v))
        scores = self._turned(q) @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
        scores[:, np.triu(np.ones((len(x), len(x)), bool), 1)] = -np.inf
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ v).swapaxes(0, 1).reshape(len(x), -1)
        return self._times(mixed, f"blk.{layer}.attn_output.weight")

    def _turned(self, x: np.ndarray) -> np.ndarray:
        """Rotary positions: neighbouring values are the parts of a complex number."""
        size = x.shape[-1]
        angles = np.outer(np.arange(x.shape[1]), self.base ** (-np.arange(0, size, 2) / size))
        turned = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


def write_gguf(path, model, tokenizer) -> None:
    """A model of transformers with a byte-level tokenizer as a GGUF file in single precision."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_types([3 if token == tokenizer.eos_token_id else 1 for _, token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in spec["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_bos_token_id(tokenizer.eos_token_id)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        stem = names.get_name(name, try_suffixes=(".weight",))
        if stem == "output.weight" and config.tie_word_embeddings:
            continue
        values = tensor.numpy()
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(
            stem.split(".")[-2]
        )
        if heads:  # transformers turns the two halves of a head, the file's readers neighbours
            values = values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        writer.add_tensor(stem, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
