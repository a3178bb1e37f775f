"""The marks of the trajectory format (paper section 3.2, appendix A.3)."""

CODE = "<code>"
END_OF_STEP = "<end_of_step>"
END_OF_CODE = "<end_of_code>"
OUTPUT = "<output>"
END_OF_OUTPUT = "<end_of_output>"
ANSWER = "<answer>"
END_OF_ANSWER = "<end_of_answer>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"

STEP_ENDS = (END_OF_STEP, END_OF_CODE, END_OF_ANSWER)  # a generation stops at any of these
ALL_TAGS = (CODE, END_OF_STEP, END_OF_CODE, OUTPUT, END_OF_OUTPUT, ANSWER, END_OF_ANSWER, USER, ASSISTANT)

# The tokens that the authors' training adds to a base model's tokenizer, in their order (upstream item 66). A line
# break and the assistant's mark are one token; the others behind ALL_TAGS are in no data.
REWARD_TOKENS = (*ALL_TAGS, "<refine>", "<end_of_refine>", "\n" + ASSISTANT)
POLICY_TOKENS = (*REWARD_TOKENS, "<error_info>", "<end_of_error_info>", "<BACK>")
