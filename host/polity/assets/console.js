// Keys for the inbox: a letter goes to the button or field of that letter, Enter presses it. Nothing is decided by one
// key alone, and without this file the console works the same.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const control = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!control) return;
  event.preventDefault();
  if (control.matches("summary")) control.parentElement.open = true;
  control.focus();
});
