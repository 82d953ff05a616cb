// Before anything is painted: that there is a script, which view a link leads to, and the colours that
// were chosen.
{
  const root = document.documentElement;
  root.classList.replace("no-js", "js");
  if (/^#\/(?!overview)/.test(location.hash)) root.classList.add("elsewhere");
  try {
    const chosen = localStorage.getItem("bridge-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // Storage is switched off: the system's colours then.
  }
}
