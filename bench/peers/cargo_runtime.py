"""The in-process adapter as a runtime client of `cargo lambda watch`, which answers `/response` before its body came.

AWS answers when the body is complete, so the adapter takes an answer before that as a refusal and hangs up. Here it
goes on sending, and polls when the body is out. Started as a script, with the adapter and the app on PYTHONPATH.
"""

import sys

from penstock_adapter import in_process, runtime_client, runtime_slot


class EarlySlot(runtime_slot.RuntimeSlot):
    """Takes a status that comes before the end of the answer for the status of that answer."""

    _early: "runtime_slot._Answer | None" = None

    def _take_answer(self, answer: "runtime_slot._Answer") -> None:
        if self._state is runtime_slot._State.STREAMING and answer[0] == 200:
            self._early = answer
        else:
            super()._take_answer(answer)

    def release(self) -> None:
        super().release()
        early, self._early = self._early, None
        if early and self._state is runtime_slot._State.POSTED:
            self._state = runtime_slot._State.IDLE
            self._poll()


if __name__ == "__main__":
    runtime_client.RuntimeSlot = EarlySlot  # type: ignore[attr-defined]
    sys.exit(in_process.main())
