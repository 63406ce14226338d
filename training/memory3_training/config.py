"""Shape of a model and of its explicit memory, as config.json says them."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MemorySettings:
    """The "memory3" object of config.json; the engine's engine/model/memory_config.h is its twin."""

    memory_layers: tuple[int, ...]
    reference_tokens: int = 128
    kept_tokens: int = 8
    memories_per_chunk: int = 5
    chunk_tokens: int = 64
    reference_prefix: str = "<s>Reference:"
    selection: str = "softmax_sum"


@dataclass(frozen=True)
class ModelShape:
    """A Llama decoder: RMSNorm, half-split rotary embedding, grouped queries, SwiGLU, tied embeddings."""

    vocab: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    memory: MemorySettings
    head_dim: int = 0  # 0: hidden / heads
    rope_theta: float = 100000.0
    norm_eps: float = 1e-5
    max_context: int = 2048
    bos: int = 1
    eos: int = 2

    def __post_init__(self) -> None:
        if self.head_dim == 0:
            object.__setattr__(self, "head_dim", self.hidden // self.heads)
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads {self.kv_heads} does not divide heads {self.heads}")
        for layer in self.memory.memory_layers:
            if not 0 <= layer < self.layers:
                raise ValueError(f"memory layer {layer} is not one of {self.layers} layers")

    def hf_config(self) -> dict:
        """What goes into config.json."""
        memory = asdict(self.memory)
        memory["memory_layers"] = list(self.memory.memory_layers)
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": self.mlp,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab,
            "max_position_embeddings": self.max_context,
            "rope_theta": self.rope_theta,
            "rms_norm_eps": self.norm_eps,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "bos_token_id": self.bos,
            "eos_token_id": self.eos,
            "memory3": memory,
        }

    @staticmethod
    def from_hf_config(config: dict) -> "ModelShape":
        memory = dict(config["memory3"])
        memory["memory_layers"] = tuple(memory["memory_layers"])
        return ModelShape(
            vocab=config["vocab_size"], hidden=config["hidden_size"],
            layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"], mlp=config["intermediate_size"],
            memory=MemorySettings(**memory), head_dim=config.get("head_dim", 0),
            rope_theta=config["rope_theta"], norm_eps=config["rms_norm_eps"],
            max_context=config["max_position_embeddings"], bos=config["bos_token_id"],
            eos=config["eos_token_id"])
