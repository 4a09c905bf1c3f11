import { showPage } from "@keyline/look";
import { StartPage } from "./start-page.tsx";

showPage(<StartPage />);
