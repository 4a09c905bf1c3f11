import { showPage } from "@keyline/look";
import "./console.css";
import { ConsolePage } from "./console-page.tsx";
import { takeTokenFromFragment } from "./server/session.ts";

// Before anything is asked of the server, and so that the token stands in no history.
takeTokenFromFragment();
// A link that is followed in a tab which shows the page already loads nothing by itself.
addEventListener("hashchange", () => {
  if (takeTokenFromFragment()) location.reload();
});
showPage(<ConsolePage />);
