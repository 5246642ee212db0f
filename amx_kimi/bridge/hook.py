"""Kimi inside AMX, in whatever process imports this: `amx-kimi enable` copies it into an
environment, `disable` removes it, and `amx-kimi amx` has it imported. Self-contained, and silent
unless `amx` is imported."""

import sys


class _Watch:
    """Prepares the process when `amx` is about to be imported, once."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ARG004
        if fullname != "amx":
            return
        sys.meta_path.remove(_Watch)
        try:
            from amx_kimi.bridge.attach import attach

            lines = attach()
        except BaseException as error:  # whatever became of the package, AMX has to run
            lines = [
                f"is enabled here, but cannot be loaded ({type(error).__name__}: {error}); AMX "
                "runs without it. Install amx-kimi again."
            ]
            if __name__ == "amx_kimi_hook":  # the copy that `amx-kimi enable` made
                lines.append(f"Or delete {__file__} and the file amx_kimi_hook.pth beside it.")
        for line in lines:
            print(f"amx-kimi: {line}", file=sys.stderr)
        return


sys.meta_path.insert(0, _Watch)
